"""Whether an earlier trial's parameters fit this space: pure rules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import chain

from tuner.recording.values import INACTIVE
from tuner.recording.values import param_text as recorded
from tuner.spec.space import AnyParameter, Choice, Constant, Float, Params, Repeated, Space, Value, number_text, same
from tuner.spec.space.ranges import Int

_ABSENT = (INACTIVE, "")


class UnfitError(ValueError):
    """The trial does not fit the space; the message continues `3 trials with …`."""


def fitted(space: Space, params: Mapping[str, Value]) -> Params:
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
            active[name] = value = _typed(parameter, params[name])
            if isinstance(parameter, Repeated) and len(value) != space.count(name, active):  # type: ignore[arg-type]
                raise UnfitError(f"another number of {name} than {parameter.repeat} says")
    return {name: value for name, value in active.items() if name in space.searched}


def from_texts(space: Space, texts: Mapping[str, str]) -> Params:
    """Parses a run's parameters, which MLflow stores as text, for this space; unreadable ones stay text."""
    values = {name: _value(space[name], text) for name, text in texts.items() if name in space and text not in _ABSENT}
    return {name: value for name, value in values.items() if value is not None or isinstance(space[name], Choice)}


def same_constants(space: Space, params: Mapping[str, Value]) -> bool:
    """Whether each active constant of the space is known to have had the same value."""
    active: Params = {}
    for name, parameter in space.items():
        if space.is_active(name, active):
            if isinstance(parameter, Constant) and not (name in params and parameter.contains(params[name])):
                return False
            if name in params:
                active[name] = params[name]
    return True


def _typed(parameter: AnyParameter, value: Value) -> Value:
    """A value as a draw has it: a real number is a float."""
    if isinstance(parameter, Repeated):
        return [_typed(parameter.element, item) for item in value]  # type: ignore[union-attr]
    return float(value) if isinstance(parameter, Float) else value  # type: ignore[arg-type]


def _value(parameter: AnyParameter, text: str) -> Value:
    """The value with this text or of the same number; None if a range has none."""
    if isinstance(parameter, Repeated):
        return _listed(parameter, text)
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


def _listed(parameter: Repeated, text: str) -> Value:
    """The list with this text; text that is none stays text."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(items, list):
        return text
    return [_value(parameter.element, item if isinstance(item, str) else recorded(item)) for item in items]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _range(parameter: Float | Int | Choice | Repeated) -> str:
    if isinstance(parameter, Repeated):
        return f"a list of values, each {_range(parameter.element)}"
    if isinstance(parameter, Choice):
        return "one of its choices"
    return f"{number_text(parameter.low)} to {number_text(parameter.high)}"
