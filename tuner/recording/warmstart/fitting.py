"""Whether an earlier trial's parameters fit this space: pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import chain

from tuner.recording.values import INACTIVE
from tuner.recording.values import param_text as recorded
from tuner.spec.space import Choice, Constant, Float, Int, Params, Scalar, Space, number_text, same

_ABSENT = (INACTIVE, "")


class UnfitError(ValueError):
    """The trial does not fit the space; the message continues `3 trials with …`."""


def fitted(space: Space, params: Mapping[str, Scalar]) -> Params:
    """The values of the active searched parameters; parameters that the space does not search are left out.

    Raises:
        UnfitError: one is missing, outside its range, or given although it is inactive.
    """
    active: Params = {}
    for name, parameter in space.items():
        if isinstance(parameter, Constant):
            if space.is_active(name, active):
                active[name] = parameter.value
        elif not space.is_active(name, active):
            if name in params:
                raise UnfitError(f"{name}, which is inactive there")
        elif name not in params:
            raise UnfitError(f"no {name}")
        elif not parameter.covers(params[name]):
            raise UnfitError(f"another {name} than {_range(parameter)}")
        else:
            value = params[name]
            active[name] = float(value) if isinstance(parameter, Float) else value  # type: ignore[arg-type]
    return {name: value for name, value in active.items() if name in space.searched}


def from_texts(space: Space, texts: Mapping[str, str]) -> Params:
    """Parses a run's parameters, which MLflow stores as text, for this space; unreadable ones stay text."""
    values = {name: _value(space[name], text) for name, text in texts.items() if name in space and text not in _ABSENT}
    return {name: value for name, value in values.items() if value is not None or isinstance(space[name], Choice)}


def _value(parameter: Float | Int | Choice | Constant, text: str) -> Scalar:
    """The value with this text or of the same number; None if a range has none."""
    number = _number(text)
    if isinstance(parameter, Choice | Constant):
        written = (value for value in parameter.values() if text in (recorded(value), str(value)))
        equal = (value for value in parameter.values() if number is not None and same(value, number))
        return next(chain(written, equal), text)
    if number is None:
        return None if text in (recorded(None), str(None)) else text
    if isinstance(parameter, Int) and number.is_integer():
        return int(Decimal(text))  # beyond 2^53 a float is inexact
    return number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _range(parameter: Float | Int | Choice) -> str:
    if isinstance(parameter, Choice):
        return "one of its choices"
    return f"{number_text(parameter.low)} to {number_text(parameter.high)}"
