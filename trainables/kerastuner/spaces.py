"""From what `hp` was asked for to a space: parameters as plain mappings, and notes on what a space cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainables.kerastuner.declared import Condition, Declared, number
from trainables.kerastuner.names import identifier, with_conditions

_MOST_VALUES = 1000
"""Of a range that must be written as choices."""


@dataclass
class FoundSpace:
    """The space of a HyperModel."""

    parameters: dict[str, Any] = field(default_factory=dict)
    """Our name -> a constant, or a mapping as in a spec's `space`, in the order in which they were asked for."""
    defaults: dict[str, Any] = field(default_factory=dict)
    """Our name -> KerasTuner's default."""
    originals: dict[str, str] = field(default_factory=dict)
    """Our name -> the name in the user's code."""
    notes: list[str] = field(default_factory=list)
    """What is another thing here than in KerasTuner, a line each."""
    num_builds: int = 0


def as_space(declared: Sequence[Declared], inferred: Mapping[str, Condition] | None = None) -> FoundSpace:
    """The space of hyperparameters.

    Args:
        inferred: conditions that only building has shown, by KerasTuner's name.
    """
    found = FoundSpace()
    ours = _names(declared, found)
    for place, name in ours.items():
        one = declared[place]
        conditions = [*_conditions(one, declared), *filter(None, [(inferred or {}).get(one.name)])]
        parameter = _parameter(one, found)
        when = _when(conditions, found, name)
        if when:
            parameter = {**(parameter if isinstance(parameter, dict) else {"value": parameter}), "when": when}
        found.parameters[name] = parameter
        found.defaults[name], found.originals[name] = one.default, one.name
    return found


def from_hyperparameters(hyperparameters: Any) -> FoundSpace:
    """The space of a HyperParameters object, KerasTuner's own or ours."""
    return as_space([_declared(one) for one in hyperparameters.space])


def _declared(one: Any) -> Declared:
    """A hyperparameter of KerasTuner's as one of ours."""
    if isinstance(one, Declared):
        return one
    conditions = tuple(Condition(condition.name, tuple(condition.values)) for condition in one.conditions)
    kind = type(one).__name__
    if kind in ("Int", "Float"):
        fields = number(kind, one.name, one.min_value, one.max_value, one.step, one.sampling, one.default)
    else:
        fields = {"kind": kind, "values": tuple(one.values), "default": one.default}
    return Declared(name=one.name, conditions=conditions, **fields)


def _names(declared: Sequence[Declared], found: FoundSpace) -> dict[int, str]:
    """Place -> our name, of each that is a parameter of its own. What stands again under another condition is the
    same parameter if all of it is the same, and has a name of its own otherwise."""
    ours: dict[int, str] = {}
    first: dict[str, Declared] = {}
    for place, one in enumerate(declared):
        name = identifier(one.name)
        other = first.setdefault(name, one)
        if other is one:
            ours[place] = name
        elif other.name != one.name:
            found.notes.append(
                f"{one.name!r} and {other.name!r} are both {name} here, so they have one value: rename one of them"
            )
        elif _fields(one) != _fields(other):
            ours[place] = with_conditions(one)
    return ours


def _conditions(one: Declared, declared: Sequence[Declared]) -> tuple[Condition, ...]:
    """Those under which it stands; where it stands under several, what they have in common."""
    all_of_it = [other.conditions for other in declared if other.name == one.name and _fields(other) == _fields(one)]
    if len(all_of_it) == 1:
        return one.conditions
    parents = [tuple(condition.name for condition in conditions) for conditions in all_of_it]
    if any(len(names) != 1 or names != parents[0] for names in parents):
        return ()
    values = dict.fromkeys(value for conditions in all_of_it for value in conditions[0].values)
    return (Condition(parents[0][0], tuple(values)),)


def _fields(one: Declared) -> tuple[Any, ...]:
    return (one.kind, one.values, one.min_value, one.max_value, one.step, one.sampling)


def _parameter(one: Declared, found: FoundSpace) -> Any:
    """A parameter without its conditions."""
    if one.kind == "Fixed" or one.num_values == 1:
        return one.values[0] if one.values else one.value_at(0)
    if one.values:
        return {"choices": list(one.values)}
    if one.sampling == "reverse_log":
        return _reverse_log(one, found)
    low, high = one.value_at(0), one.max_value
    if one.kind == "Int":
        low, high = int(low), int(high)
    if one.step is None:
        return {"low": low, "high": high, **({"scale": "log"} if one.sampling == "log" else {})}
    last = one.value_at((one.num_values or 1) - 1)
    if one.sampling == "linear":
        step: dict[str, Any] = {} if one.kind == "Int" and one.step == 1 else {"step": one.step}
        return {"low": low, "high": _tidy(last), **step}
    values = [one.value_at(index) for index in range(one.num_values or 1)]
    if one.kind == "Int" or len(values) == 2:
        return {"choices": values}
    return {"low": low, "high": _tidy(last), "scale": "log", "num": len(values)}


def _reverse_log(one: Declared, found: FoundSpace) -> Any:
    name = identifier(one.name)
    if one.step is not None and (one.num_values or 0) <= _MOST_VALUES:
        return {"choices": sorted(one.value_at(index) for index in range(one.num_values or 1))}
    found.notes.append(f"{name}: there is no reverse_log sampling here, so it is searched on a linear scale")
    return {"low": one.min_value, "high": one.max_value}


def _tidy(value: Any) -> Any:
    return value if isinstance(value, int) else float(f"{value:.12g}")


def _when(conditions: Iterable[Condition], found: FoundSpace, name: str) -> dict[str, Any]:
    """Conditions as `when`; several on one parent are what they have in common."""
    when: dict[str, list[Any]] = {}
    for condition in conditions:
        parent = identifier(condition.name)
        values = list(condition.values)
        when[parent] = [value for value in when[parent] if value in values] if parent in when else values
    plain: dict[str, Any] = {}
    for parent, values in when.items():
        possible = _possible(values, found.parameters.get(parent))
        if len(possible) < len(values):
            found.notes.append(f"{name}: its condition on {parent} names values that {parent} cannot have")
        plain[parent] = possible[0] if len(possible) == 1 else possible
    return {parent: values for parent, values in plain.items() if values != []}


def _possible(values: list[Any], parent: Any) -> list[Any]:
    """Those that the parent's choices have, of a parent with choices."""
    if not isinstance(parent, dict):
        return [value for value in values if value == parent]
    if "choices" in parent:
        return [choice for choice in parent["choices"] if choice in values]
    if "value" in parent:
        return [value for value in values if value == parent["value"]]
    return [value for value in values if parent["low"] <= value <= parent["high"]]
