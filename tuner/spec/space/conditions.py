"""What one parameter says about another: conditions, and the number of values of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from tuner.base.words import Value, either, nearest, number_text, shown
from tuner.spec.space.choice import Choice
from tuner.spec.space.parameters import AnyParameter, Constant
from tuner.spec.space.ranges import Int
from tuner.spec.space.repeated import MAX_REPEAT, Repeated

MAX_PARAMETERS = 200
"""The most parameters of a space, each value of a list counted."""
MAX_PROBLEMS = 50
"""The most problems of conditions that are reported at once."""


def wanted_values(parameter: AnyParameter, wanted: Value) -> list[Value]:
    """The values that a condition on a parameter wants: one, or each of a list that is not itself one of them."""
    is_several = isinstance(wanted, list) and not (
        isinstance(parameter, Choice | Constant) and parameter.contains(wanted)
    )
    return wanted if is_several else [wanted]  # type: ignore[return-value]


def conditions_text(parameter: AnyParameter, parameters: Mapping[str, AnyParameter]) -> str:
    """When a parameter is active, in words: schedule is 'cosine' or 'exponential'; empty for always."""
    wanted = (parameter.when or {}).items()
    return ", ".join(f"{other} is {either(wanted_values(parameters[other], values))}" for other, values in wanted)


def counts(parameter: AnyParameter) -> list[Any] | None:
    """The lowest and the highest number, or all numbers, of what may say how long a list is; None for other kinds."""
    if isinstance(parameter, Int):
        return [parameter.low, parameter.high]
    if not isinstance(parameter, Choice | Constant):
        return None
    values = parameter.values()
    return values if all(isinstance(value, int) and not isinstance(value, bool) for value in values) else None


def count_max(parameter: Repeated, parameters: Mapping[str, AnyParameter]) -> int:
    """The most values of a list among valid parameters."""
    if isinstance(parameter.repeat, int):
        return parameter.repeat
    return int(max(counts(parameters[parameter.repeat]) or [0]))


def condition_problems(parameters: Mapping[str, AnyParameter], declared: Iterable[str] = ()) -> list[tuple[str, str]]:
    """The first problems with the conditions of a space, as (path below `space`, message).

    `declared` names parameters that exist but are invalid: conditions on them cannot be checked.
    """
    invalid = set(declared) - set(parameters)
    found = list(islice(_condition_problems(parameters, invalid), MAX_PROBLEMS))
    found += islice(_repeat_problems(parameters, invalid), MAX_PROBLEMS - len(found))
    lists = {name: parameter for name, parameter in parameters.items() if isinstance(parameter, Repeated)}
    if lists and not found and not invalid:
        total = len(parameters) - len(lists) + sum(count_max(parameter, parameters) for parameter in lists.values())
        if total > MAX_PARAMETERS:
            rule = f"all lists and parameters must have at most {MAX_PARAMETERS} values together, but got {total}"
            found.append((f"{list(lists)[-1]}.repeat", rule))
    return found


def _condition_problems(parameters: Mapping[str, AnyParameter], invalid: set[str]) -> Iterator[tuple[str, str]]:
    seen = set(invalid)
    for name, parameter in parameters.items():
        for other, wanted in (parameter.when or {}).items():
            path = f"{name}.when.{other}"
            if (other not in parameters and other not in invalid) or other == name:
                hint = nearest(other, [candidate for candidate in (*parameters, *invalid) if candidate != name])
                yield path, f"a condition must name a parameter of the space, but got {shown(other)}{hint}"
            elif other not in seen:
                yield path, f"a condition must name an earlier parameter, but {other!r} comes after {name!r}"
            elif isinstance(parameters.get(other), Repeated):
                yield path, f"a condition must name a parameter with one value, but {other!r} is a list"
            elif other in parameters:
                for value in wanted_values(parameters[other], wanted):
                    if not parameters[other].contains(value):
                        hint = _nearest_value(value, parameters[other])
                        yield path, f"must be a value of {other!r}, but got {shown(value)}{hint}"
        seen.add(name)


def _repeat_problems(parameters: Mapping[str, AnyParameter], invalid: set[str]) -> Iterator[tuple[str, str]]:
    seen = set(invalid)
    for name, parameter in parameters.items():
        if isinstance(parameter, Repeated):
            rule = "" if isinstance(parameter.repeat, int) else _repeat_rule(name, parameter.repeat, parameters, seen)
            if rule:
                yield f"{name}.repeat", rule
            elif parameter.repeat not in invalid and (clash := _clash(name, parameter, parameters)):
                yield clash, f"must have another name, as MLflow shows the values of {name} as {name}_0, {name}_1, …"
        seen.add(name)


def _repeat_rule(name: str, other: str, parameters: Mapping[str, AnyParameter], seen: set[str]) -> str:
    if other in seen and other not in parameters:
        return ""  # it is invalid itself
    if other not in parameters or other == name:
        hint = nearest(other, [candidate for candidate in parameters if candidate != name])
        hint = f"; write {other} without quotes" if other.isdecimal() else hint
        return f"must name a parameter of the space, or be a number, but got {shown(other)}{hint}"
    if other not in seen:
        return f"must name an earlier parameter, but {other!r} comes after {name!r}"
    numbers = counts(parameters[other])
    if numbers is None:
        return f"must name a parameter whose values are whole numbers, but {other!r} has others"
    if min(numbers) < 0 or max(numbers) > MAX_REPEAT:
        wrong = min(numbers) if min(numbers) < 0 else max(numbers)
        return f"must name a parameter from 0 to {MAX_REPEAT}, but {other!r} may be {wrong}"
    return ""


def _clash(name: str, parameter: Repeated, parameters: Mapping[str, AnyParameter]) -> str | None:
    """The parameter that is called as one of a list's values is in MLflow."""
    return next((key for i in range(count_max(parameter, parameters)) if (key := f"{name}_{i}") in parameters), None)


def _nearest_value(value: Value, parameter: AnyParameter) -> str:
    if isinstance(parameter, Choice | Constant):
        return nearest(value, parameter.values())
    assert not isinstance(parameter, Repeated)
    return f"; it goes from {number_text(parameter.low)} to {number_text(parameter.high)}"
