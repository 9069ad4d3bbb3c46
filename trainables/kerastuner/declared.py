"""A hyperparameter as `hp` was asked for it, and the conditions around it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SAMPLINGS = ("linear", "log", "reverse_log")


@dataclass(frozen=True)
class Condition:
    """Holds where the parent has one of these values."""

    name: str
    values: tuple[Any, ...]

    @classmethod
    def of(cls, name: str, values: Any) -> Condition:
        given = list(values) if isinstance(values, list | tuple | set) else [values]
        if not given:
            raise ValueError(f"conditional_scope: the values of {name} must not be empty")
        return cls(name, tuple(given))

    def holds(self, values: Mapping[str, Any]) -> bool:
        return self.name in values and values[self.name] in self.values


@dataclass(frozen=True)
class Declared:
    """One hyperparameter. `kind` is Int, Float, Choice, Boolean or Fixed; numbers have bounds, others values."""

    name: str
    kind: str
    conditions: tuple[Condition, ...] = ()
    default: Any = None
    values: tuple[Any, ...] = ()
    min_value: float = 0
    max_value: float = 0
    step: float | None = None
    sampling: str = "linear"

    @property
    def num_values(self) -> int | None:
        """How many values it has; None for a continuum."""
        if self.values:
            return len(self.values)
        if self.step is None:
            return int(self.max_value - self.min_value) + 1 if self.kind == "Int" else None
        if self.sampling == "linear":
            return int((self.max_value - self.min_value) / self.step + 1e-8) + 1
        return int(math.log(self.max_value / self.min_value, self.step) + 1e-8) + 1

    def value_at(self, index: int) -> Any:
        """The value at a place of what has steps."""
        if self.values:
            return self.values[index]
        step = 1 if self.step is None else self.step
        if self.sampling == "linear" or self.step is None:
            value = self.min_value + index * step
        elif self.sampling == "log":
            value = self.min_value * step**index
        else:
            value = self.max_value + self.min_value - self.min_value * step**index
        return int(value + 1e-8) if self.kind == "Int" else float(value)

    def typed(self, value: Any) -> Any:
        """A value as KerasTuner would give it: 1.0 and not 1 of a Float."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if self.kind == "Float" and is_number else value


def number(kind: str, name: str, low: Any, high: Any, step: Any, sampling: str | None, default: Any) -> dict[str, Any]:
    """The fields of an Int or a Float, with KerasTuner's rules.

    Raises:
        ValueError: they break one.
    """
    where = f"hp.{kind}({name!r})"
    sampling = (sampling or "linear").lower()
    if sampling not in SAMPLINGS:
        raise ValueError(f"{where}: sampling must be one of {', '.join(SAMPLINGS)}, but got {sampling!r}")
    if kind == "Int":
        low, high = _whole(where, "min_value", low), _whole(where, "max_value", high)
        step = _whole(where, "step", step) if step is not None else 1 if sampling == "linear" else None
    else:
        low, high, step = float(low), float(high), None if step is None else float(step)
    if low > high:
        raise ValueError(f"{where}: min_value must not be above max_value, but got {low} and {high}")
    if sampling != "linear" and low <= 0:
        raise ValueError(f"{where}: min_value must be above 0 with {sampling} sampling, but got {low}")
    if step is not None and (step <= 0 or (sampling != "linear" and step <= 1)):
        raise ValueError(f"{where}: step must be above {0 if sampling == 'linear' else 1}, but got {step}")
    default = low if default is None else default
    return {
        "kind": kind, "min_value": low, "max_value": high, "step": step, "sampling": sampling, "default": default,
    }  # fmt: skip


def choice(name: str, values: Sequence[Any], default: Any) -> dict[str, Any]:
    """The fields of a Choice, with KerasTuner's rules.

    Raises:
        ValueError, TypeError: they break one.
    """
    where = f"hp.Choice({name!r})"
    given = list(values)
    if not given:
        raise ValueError(f"{where}: values must not be empty")
    if len({type(value) for value in given}) > 1:
        raise TypeError(f"{where}: values must be of one type, but got {given}")
    if not isinstance(given[0], bool | int | float | str):
        raise TypeError(f"{where}: values must be numbers, text or truth values, but got {given}")
    if default is not None and default not in given:
        raise ValueError(f"{where}: the default must be one of {given}, but got {default!r}")
    unique = tuple(dict.fromkeys(given))
    return {"kind": "Choice", "values": unique, "default": given[0] if default is None else default}


def _whole(where: str, name: str, value: Any) -> int:
    if int(value) != value:
        raise ValueError(f"{where}: {name} must be a whole number, but got {value!r}")
    return int(value)
