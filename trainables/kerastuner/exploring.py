"""Finds a HyperModel's space by building it until no new name appears.

The first build has the defaults. Then each hyperparameter that may decide what is built (a choice, a truth value, a
short range of whole numbers; the ends of a longer one) takes each of its values, in the build where it was first seen.
A name that appears for some values of one hyperparameter alone is conditional on those.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from trainables.exceptions import message_of
from trainables.kerastuner.declared import Condition, Declared
from trainables.kerastuner.hyperparameters import HyperParameters
from trainables.kerastuner.spaces import FoundSpace, as_space

MAX_BUILDS = 64
_SHORT = 8
"""A range of so few whole numbers is tried value by value."""


@dataclass
class _Seen:
    declared: list[Declared] = field(default_factory=list)
    parents: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    """Name -> hyperparameter that made it appear -> for which values."""
    absent: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    """Name -> hyperparameter that made it disappear -> for which values."""
    failures: list[str] = field(default_factory=list)
    num_builds: int = 0


def explore(build: Callable[[HyperParameters], None], max_builds: int = MAX_BUILDS) -> FoundSpace:
    """The space of what `build` asks for.

    Raises:
        Exception: what the build with all defaults raises.
    """
    seen = _Seen()
    first = _built(build, {}, seen)
    queue: deque[tuple[Declared, dict[str, Any], set[str]]] = deque(
        (one, {}, _names(first)) for one in _deciding(first.space)
    )
    is_whole = True
    while queue:
        one, context, names = queue.popleft()
        values = _trial_values(one, context)
        for value in values:
            if seen.num_builds >= max_builds:
                is_whole = False
                break
            inner = {**context, one.name: value}
            try:
                hp = _built(build, inner, seen)
            except Exception as error:
                seen.failures.append(f"with {one.name} = {value!r} build raises {type(error).__name__}: {_line(error)}")
                continue
            for name in sorted(names - _names(hp)):
                seen.absent.setdefault(name, {}).setdefault(one.name, []).append(value)
            new = [other for other in hp.space if other.name not in names and hp.is_active(other)]
            for other in new:
                seen.parents.setdefault(other.name, {}).setdefault(one.name, []).append(value)
            queue.extend((other, inner, _names(hp)) for other in _deciding(new) if _is_first(other, one, value, seen))
    found = as_space(seen.declared, _inferred(seen))
    found.num_builds = seen.num_builds
    found.notes += seen.failures[:3]
    if not is_whole:
        found.notes.append(
            f"{seen.num_builds} builds were not enough to see all of it: parameters that are missing keep their"
            " defaults, unless space names them"
        )
    return found


def _built(build: Callable[[HyperParameters], None], context: dict[str, Any], seen: _Seen) -> HyperParameters:
    hp = HyperParameters()
    hp.values = dict(context)
    seen.num_builds += 1
    build(hp)
    known = {(one.name, one.conditions) for one in seen.declared}
    seen.declared += [one for one in hp.space if (one.name, one.conditions) not in known]
    return hp


def _names(hp: HyperParameters) -> set[str]:
    return {one.name for one in hp.space if hp.is_active(one)}


def _deciding(declared: list[Declared]) -> Iterator[Declared]:
    """Those that may decide what is built; texts and truth values first."""
    kinds = ("Boolean", "Choice", "Int")
    asked = [one for one in declared if one.kind in kinds and one.num_values != 1]
    return iter(sorted(asked, key=lambda one: (not _is_text(one), kinds.index(one.kind))))


def _is_text(one: Declared) -> bool:
    return one.kind == "Boolean" or any(isinstance(value, str) for value in one.values)


def _is_short(one: Declared) -> bool:
    return (one.num_values or _SHORT + 1) <= _SHORT or one.kind != "Int"


def _trial_values(one: Declared, context: dict[str, Any]) -> list[Any]:
    """Its values but the one that it had in the build where it was seen."""
    here = context.get(one.name, one.default)
    if one.kind != "Int":
        return [value for value in one.values if value != here]
    if _is_short(one):
        return [value for index in range(one.num_values or 0) if (value := one.value_at(index)) != here]
    return [value for value in (int(one.min_value), int(one.max_value)) if value != here]


def _is_first(other: Declared, parent: Declared, value: Any, seen: _Seen) -> bool:
    """Whether a name appears for the first time, so that its own values are tried from here."""
    return seen.parents[other.name] == {parent.name: [value]}


def _inferred(seen: _Seen) -> dict[str, Condition]:
    """Conditions of names that `if` and `for` decide, on the one hyperparameter that does."""
    found: dict[str, Condition] = {}
    by_name = {one.name: one for one in reversed(seen.declared)}
    for name, one in by_name.items():
        appears, disappears = seen.parents.get(name, {}), seen.absent.get(name, {})
        parent = next(iter(appears or disappears), None)
        if one.conditions or parent is None or len({*appears, *disappears}) != 1 or not _is_short(by_name[parent]):
            continue
        without = disappears.get(parent, [])
        all_values = [by_name[parent].value_at(index) for index in range(by_name[parent].num_values or 0)]
        values = appears.get(parent) or [value for value in all_values if value not in without]
        if values and _is_before(parent, name, seen):
            found[name] = Condition(parent, tuple(values))
    return found


def _is_before(parent: str, name: str, seen: _Seen) -> bool:
    names = [one.name for one in seen.declared]
    return names.index(parent) < names.index(name)


def _line(error: Exception) -> str:
    return (message_of(error).strip().splitlines() or [""])[0][:200]
