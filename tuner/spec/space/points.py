"""Configurations that a user wrote (`search.points`): checks that they lie in the space, and completes them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from tuner.base.meant import fix
from tuner.base.words import Params, Scalar, Value, cut, key, nearest, number_text, shown
from tuner.spec.space.choice import Choice
from tuner.spec.space.conditions import conditions_text
from tuner.spec.space.parameters import AnyParameter, Constant
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.repeated import Repeated
from tuner.spec.space.space import Space


def completed(space: Space, point: Mapping[str, Value]) -> Params | None:
    """The configuration of a point, including constants; None if it does not lie in the space."""
    params: Params = {}
    for name, parameter in space.items():
        if not space.is_active(name, params):
            continue
        if name not in point and not isinstance(parameter, Constant):
            return None
        value = point.get(name, parameter.value if isinstance(parameter, Constant) else None)
        if not parameter.contains(value):
            return None
        if isinstance(parameter, Repeated) and len(value) != space.count(name, params):  # type: ignore[arg-type]
            return None
        params[name] = as_drawn(parameter, value)
    unfit = any(name in space and name not in params for name in point)
    return None if unfit else params


def as_drawn(parameter: AnyParameter, value: Value) -> Value:
    """A written value as a draw would return it: 1.0 for 1, 0.3 for a sum that is almost 0.3."""
    if isinstance(parameter, Repeated):
        return [as_drawn(parameter.element, item) for item in value]  # type: ignore[union-attr]
    if parameter.size is None:
        return float(value)  # type: ignore[arg-type]
    result: Value = parameter.from_unit(parameter.to_unit(value))
    return result


def point_problems(
    space: Space, points: Sequence[Any], unknown: Container[str] = (), is_whole: bool = True
) -> Iterator[tuple[str, str]]:
    """The problems of each point, as (path below `points`, rule). Values that no parameter has are ignored.

    Args:
        unknown: names that may be parameters, but about which nothing is known.
        is_whole: whether `space` is complete; if not, conditions are not checked.
    """
    seen: dict[Any, int] = {}
    for index, point in enumerate(points):
        if not isinstance(point, Mapping):
            continue
        point = {name: list(value) if isinstance(value, tuple) else value for name, value in point.items()}
        problems = [(f"[{index}].{place}", rule) for place, rule in _value_problems(space, point, unknown)]
        if is_whole and not problems:
            problems = [(f"[{index}]{place}", rule) for place, rule in _condition_problems(space, point)]
            params = completed(space, point) if not problems else None
            first = seen.setdefault(key(params), index) if params is not None else index
            if first != index:
                problems.append((f"[{index}]", f"must not be the same configuration as points[{first}]"))
        yield from problems


def _value_problems(space: Space, point: Mapping[str, Any], unknown: Container[str]) -> Iterator[tuple[str, str]]:
    for name, value in point.items():
        if name not in space:
            if name == "epochs":
                yield name, "must be left out where the space has no epochs: each trial has epochs.max of them"
            elif name not in unknown:
                yield name, f"the space has no such parameter{nearest(str(name), space)}"
        elif isinstance(value, Scalar | list) and not space[name].contains(value):
            yield from _refusals(space[name], name, value)


def _refusals(parameter: AnyParameter, name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Where and why a value is not one of a parameter's."""
    if not isinstance(parameter, Repeated):
        yield name, _refusal(parameter, value)
    elif not isinstance(value, list):
        yield name, f"must be a list, with a value for each place, but got {shown(value)}"
    else:
        for index, item in enumerate(value):
            if not parameter.element.contains(item):
                yield f"{name}[{index}]", _refusal(parameter.element, item)


def _refusal(parameter: Float | Int | Choice | Constant, value: Value) -> str:
    """Why a value is not one of a parameter's."""
    if isinstance(parameter, Constant):
        return f"must be {shown(parameter.value)}, as in every trial, but got {shown(value)}"
    if isinstance(parameter, Choice):
        hint = nearest(value, parameter.choices)
        return f"must be one of its choices, but got {shown(value)}{hint}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"must be a number, but got {shown(value)}{fix(value, 'number')}"
    if not parameter.covers(value):
        low, high = number_text(parameter.low), number_text(parameter.high)
        return f"must lie between {low} and {high}, but got {number_text(value)}"
    if isinstance(parameter, Int) and not isinstance(value, int):
        return f"must be a whole number, but got {shown(value)}"
    grid = (
        f"one of its {parameter.num} values"
        if parameter.num
        else f"on its grid of step {number_text(parameter.step or 1)}"
    )
    near = number_text(parameter.from_unit(parameter.to_unit(value)))
    return f"must be {grid}, but got {number_text(value)}; {near} would do"


def _condition_problems(space: Space, point: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Parameters that are given although inactive, active ones that are missing, and lists of another length."""
    active: Params = {}
    missing: list[str] = []
    for name, parameter in space.items():
        if space.is_active(name, active):
            if name in point:
                active[name] = point[name]
                if isinstance(parameter, Repeated) and len(point[name]) != space.count(name, active):
                    yield f".{name}", f"must have {length_text(space, name, active)}, but got {shown(point[name])}"
            elif isinstance(parameter, Constant):
                active[name] = parameter.value
            else:
                missing.append(name)
        elif name in point and not any(other in missing for other in (*(parameter.when or {}), _counter(parameter))):
            conditions = conditions_text(parameter, dict(space.items()))
            yield f".{name}", f"must be left out unless {conditions or f'{_counter(parameter)} is active'}"
    if missing:
        yield "", f"must name every parameter that is searched, but has no {cut(', '.join(missing), 200)}"


def _counter(parameter: AnyParameter) -> str:
    """The parameter that says how long a list is."""
    return str(parameter.repeat) if isinstance(parameter, Repeated) else ""


def length_text(space: Space, name: str, params: Mapping[str, Value]) -> str:
    """How long a list must be: `2 values, as depth says`."""
    parameter, number = space[name], space.count(name, params)
    assert isinstance(parameter, Repeated)
    says = "" if isinstance(parameter.repeat, int) else f", as {parameter.repeat} says"
    return f"{number} value{'' if number == 1 else 's'}{says}"
