"""A search space and an objective as Python code writes them; they are judged with the spec, all problems together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuner.spec.space import Written, WrittenChoice, WrittenFloat, WrittenInt

Value = bool | int | float | str | None
Conditions = Mapping[str, Value | list[Value]]


@dataclass(frozen=True)
class Float:
    """A real number between inclusive bounds.

    Args:
        low: the lowest value.
        high: the highest value.
        log: spread the values' logarithms evenly instead of the values.
        step: the distance of neighbours on a grid that begins at `low`.
        num: so many values and nothing between them, in place of a step.
        when: active only where earlier parameters have these values, such as {"schedule": "exponential"}.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    num: int | None = None
    when: Conditions | None = None

    def written(self) -> Written:
        """As a spec has it."""
        return _range(WrittenFloat, self)


@dataclass(frozen=True)
class Int:
    """A whole number between inclusive bounds; arguments as `Float`, with a step of 1 by default."""

    low: int
    high: int
    log: bool = False
    step: int | None = None
    num: int | None = None
    when: Conditions | None = None

    def written(self) -> Written:
        """As a spec has it."""
        return _range(WrittenInt, self)


@dataclass(frozen=True, init=False)
class Choice:
    """One of several values without an order: `Choice("relu", "tanh")`; `when` as of `Float`."""

    choices: tuple[Value, ...]
    when: Conditions | None = None

    def __init__(self, *choices: Value, when: Conditions | None = None) -> None:
        object.__setattr__(self, "choices", choices)
        object.__setattr__(self, "when", when)

    def written(self) -> Written:
        """As a spec has it."""
        return WrittenChoice(choices=list(self.choices), **_given(when=self.when))


@dataclass(frozen=True)
class Objective:
    """What a sweep searches for: the highest or the lowest value of a metric."""

    metric: str
    mode: Literal["min", "max"]

    def written(self) -> dict[str, Any]:
        """As a spec has it."""
        return {"metric": self.metric, "mode": self.mode}


def maximize(metric: str) -> Objective:
    """The objective of the highest value of a metric, such as val_accuracy."""
    return Objective(metric, "max")


def minimize(metric: str) -> Objective:
    """The objective of the lowest value of a metric, such as val_loss."""
    return Objective(metric, "min")


def _range(kind: type[Written], given: Float | Int) -> Written:
    scale = {True: "log", False: "linear"}.get(given.log, given.log) if isinstance(given.log, bool) else given.log
    fields = _given(scale=None if scale == "linear" else scale, step=given.step, num=given.num, when=given.when)
    return kind(low=given.low, high=given.high, **fields)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
