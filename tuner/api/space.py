"""Search spaces and objectives in Python code. They are checked with the spec, which reports all problems together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuner.spec.space import Written, WrittenChoice, WrittenFloat, WrittenInt

Value = bool | int | float | str | None | list[Any] | tuple[Any, ...]
Conditions = Mapping[str, Value]
Repeat = str | int | None
Scaling = Literal["none", "linear", "sqrt"] | None


@dataclass(frozen=True)
class Float:
    """A real number between inclusive bounds.

    Args:
        low: the lowest value.
        high: the highest value.
        log: use a logarithmic scale.
        step: the distance between values on a grid that starts at `low`.
        num: the number of values on the grid, instead of a step.
        when: the parameter is active only if earlier parameters have these values, such as {"schedule": "exponential"}.
        repeat: a list of such numbers, as many as this earlier parameter says, or always so many.
        scale_learning_rate: "linear" or "sqrt", of batch_size alone: the learning rate is that of a batch of `base`
            examples, and grows with the batch size or its square root.
        base: the batch size for which the learning rate holds as it is.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    num: int | None = None
    when: Conditions | None = None
    repeat: Repeat = None
    scale_learning_rate: Scaling = None
    base: int | None = None

    def written(self) -> Written:
        """As it is written in a spec."""
        return _range(WrittenFloat, self)


@dataclass(frozen=True)
class Int:
    """A whole number between inclusive bounds; arguments as for `Float`, with a step of 1 by default."""

    low: int
    high: int
    log: bool = False
    step: int | None = None
    num: int | None = None
    when: Conditions | None = None
    repeat: Repeat = None
    scale_learning_rate: Scaling = None
    base: int | None = None

    def written(self) -> Written:
        """As it is written in a spec."""
        return _range(WrittenInt, self)


@dataclass(frozen=True, init=False)
class Choice:
    """One of several values without an order: `Choice("relu", "tanh")`, `Choice([64], [128, 64])`.

    The keywords as for `Float`.
    """

    choices: tuple[Value, ...]
    when: Conditions | None = None
    repeat: Repeat = None
    scale_learning_rate: Scaling = None
    base: int | None = None

    def __init__(
        self,
        *choices: Value,
        when: Conditions | None = None,
        repeat: Repeat = None,
        scale_learning_rate: Scaling = None,
        base: int | None = None,
    ) -> None:
        given = {"when": when, "repeat": repeat, "scale_learning_rate": scale_learning_rate, "base": base}
        for name, value in {"choices": choices, **given}.items():
            object.__setattr__(self, name, value)

    def written(self) -> Written:
        """As it is written in a spec."""
        return WrittenChoice(choices=list(self.choices), **_given(**_common(self)))


@dataclass(frozen=True)
class Objective:
    """What a sweep searches for: the highest or the lowest value of a metric."""

    metric: str
    mode: Literal["min", "max"]

    def written(self) -> dict[str, Any]:
        """As it is written in a spec."""
        return {"metric": self.metric, "mode": self.mode}


def maximize(metric: str) -> Objective:
    """Search for the highest value of a metric, such as val_accuracy."""
    return Objective(metric, "max")


def minimize(metric: str) -> Objective:
    """Search for the lowest value of a metric, such as val_loss."""
    return Objective(metric, "min")


def _range(kind: type[Written], given: Float | Int) -> Written:
    scale = {True: "log", False: "linear"}.get(given.log, given.log) if isinstance(given.log, bool) else given.log
    fields = _given(scale=None if scale == "linear" else scale, step=given.step, num=given.num, **_common(given))
    return kind(low=given.low, high=given.high, **fields)


def _common(given: Float | Int | Choice) -> dict[str, Any]:
    names = ("when", "repeat", "scale_learning_rate", "base")
    return {name: getattr(given, name) for name in names}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
