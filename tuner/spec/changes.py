"""What of a sweep may change when it is resumed: how long, on what and within which ranges, not what is searched for.

Changes are leaf paths of the resolved spec with their new values, such as {"space.learning_rate.high": 0.3}; lists are
leaves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tuner.base.errors import SpecError
from tuner.spec.loading import spec_from_mapping
from tuner.spec.messages import line
from tuner.spec.models import ALWAYS_IN_SPACE, SweepSpec
from tuner.spec.reading import apply_override
from tuner.spec.space import Choice, Constant, Float, Int, same, shown

_ANYTHING = ("num_trials", "early_stopping", "budget", "failures", "resources", "checkpoints", "tracking")
_FOUND_BY = ("name", "storage")
_WHY_NOT = {
    "name": "is what the sweep and its folder are called",
    "storage": "is where the sweep lies",
    "objective": "ranks all trials so far",
    "trainable": "decides what a trial is",
    "data": "decides what a trial is",
    "precision": "decides what a trial is",
    "epochs": "decides how long a trial trains and where trials are compared",
    "search": "decides what was tried so far",
}
_KINDS = {Float: "a range of numbers", Int: "a range of whole numbers", Choice: "a choice", Constant: "a constant"}

AnyParameter = Float | Int | Choice | Constant


def changes_from_overrides(before: Mapping[str, Any], overrides: Sequence[str], num_suggested: int) -> dict[str, Any]:
    """The changes that `--set` asks for in a resolved spec, as path -> value.

    Raises:
        SpecError: something that may not change, or not so; one line each.
        UsageError: an override cannot be read.
    """
    after = copy.deepcopy(dict(before))
    for override in overrides:
        apply_override(after, override)
    return _changes(before, spec_from_mapping(after, source="--set"), num_suggested, source="--set")


def changes_between(before: Mapping[str, Any], after: SweepSpec, num_suggested: int, source: str) -> dict[str, Any]:
    """Where a spec differs from the resolved one of a sweep, as path -> value.

    Its name and storage are not looked at: the sweep was found by them, or by what stands above them (`--storage`).

    Raises:
        SpecError: something that may not change, or not so; one line each.
    """
    return _changes(before, after, num_suggested, source, _FOUND_BY)


def _changes(
    before: Mapping[str, Any], after: SweepSpec, num_suggested: int, source: str, passed_over: Sequence[str] = ()
) -> dict[str, Any]:
    was = spec_from_mapping(before, source="the sweep's spec")
    changes, problems = _space_changes(was, after)
    old, new = was.resolved(), after.resolved()
    for path, value in _differences(old, new, [key for key in new if key not in ("space", *passed_over)]):
        section = path.split(".")[0]
        if section in _ANYTHING:
            changes[path] = value
        else:
            problems.append(f"{path}: {_WHY_NOT[section]}, so it cannot change on the way; start another sweep")
    if "num_trials" in changes and after.num_trials < num_suggested:
        problems.append(f"num_trials: {num_suggested} trials have begun already, so it cannot be {after.num_trials}")
    if problems:
        raise SpecError(source, problems)
    return changes


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Leaf paths at which two trees of the same fields differ, with the new value."""
    for key in keys:
        was, value = old.get(key), new[key]
        if isinstance(value, Mapping):
            yield from _differences(was if isinstance(was, Mapping) else {}, value, list(value), f"{prefix}{key}.")
        elif key not in old or not _equal(was, value):
            yield f"{prefix}{key}", value


def _equal(was: Any, value: Any) -> bool:
    """Equality that keeps true and 1 apart, in lists, too."""
    if isinstance(was, list) and isinstance(value, list):
        return len(was) == len(value) and all(map(same, was, value))
    return same(was, value)


def _space_changes(was: SweepSpec, after: SweepSpec) -> tuple[dict[str, Any], list[str]]:
    """What changed within the parameters, and what of it may not."""
    changes: dict[str, Any] = {}
    problems = []
    for name, old in was.space.items():
        path = f"space.{name}"
        if name not in after.space:
            if not (name in ALWAYS_IN_SPACE and isinstance(old, Constant)):  # those were added when the sweep began
                problems.append(f"{path}: all trials so far have it, so it cannot be removed; start another sweep")
            continue
        try:
            new = _like(old, after.space[name])
        except ValidationError as error:  # what whole numbers may, such as any number of steps
            problems += [line({**item, "loc": ("space", name, *item["loc"])}) for item in error.errors()]
            continue
        if type(new) is not type(old):
            problems.append(f"{path}: is {_KINDS[type(old)]}, so it cannot become {_KINDS[type(new)]}")
        elif isinstance(old, Constant) and not old.contains(new.value):  # type: ignore[union-attr]
            problems.append(f"{path}: is {shown(old.value)} in all trials so far, so it cannot change")
        elif old.when != new.when:
            problems.append(f"{path}.when: decides which trials have {name}, so it cannot change")
        else:
            before, now = old.model_dump(exclude={"when"}), new.model_dump(exclude={"when"})
            if isinstance(old, Float | Int | Choice):
                changes |= _differences(before, now, list(now), f"{path}.")
    problems += [
        f"space.{name}: no trial so far has it, so it cannot be added; start another sweep"
        for name in after.space
        if name not in was.space
    ]
    return changes, problems


def _like(old: AnyParameter, new: AnyParameter) -> AnyParameter:
    """A range of numbers stays one when its bounds are written as whole numbers.

    Raises:
        ValidationError: it cannot be one.
    """
    if not (isinstance(old, Float) and isinstance(new, Int)):
        return new
    step = float(new.step) if "step" in new.model_fields_set and new.num is None else None
    return Float(low=float(new.low), high=float(new.high), step=step, num=new.num, scale=new.scale, when=new.when)
