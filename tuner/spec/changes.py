"""What a resume may change in a sweep's spec: its length, resources and ranges, but not what it searches for.

Changes map leaf paths of the resolved spec to new values, such as {"space.learning_rate.high": 0.3}. Lists are leaves.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from tuner.base.errors import SpecError
from tuner.base.patience import takes_last
from tuner.spec.loading import spec_from_mapping
from tuner.spec.messages import line
from tuner.spec.models import ALWAYS_IN_SPACE, SweepSpec
from tuner.spec.reading import apply_override
from tuner.spec.space import AnyParameter, Choice, Constant, Float, Int, Repeated, same, shown

_ANYTHING = (
    *("num_trials", "feasible", "early_stopping", "budget", "failures", "resources", "checkpoints", "tracking"),
    *("requirements", "jit_compile", "deterministic"),
)
_MODELS = "tracking.log_models"
_FOUND_BY = ("name", "storage")
_WHY_NOT = {
    "name": "names the sweep and its folder",
    "storage": "is where the sweep is stored",
    "objective": "ranks all trials so far",
    "trainable": "decides what a trial is",
    "command": "decides what a trial is",
    "data": "decides what a trial is",
    "folds": "decides what a trial is",
    "precision": "decides what a trial is",
    "epochs": "decides how long a trial trains and where trials are compared",
    "search": "decided what was tried so far",
}
_KINDS = {
    Float: "a range of numbers",
    Int: "a range of whole numbers",
    Choice: "a choice",
    Constant: "a constant",
    Repeated: "a list of values",
}


def changes_from_overrides(before: Mapping[str, Any], overrides: Sequence[str], num_suggested: int) -> dict[str, Any]:
    """The changes that `--set` makes to a resolved spec, as path -> value.

    Raises:
        SpecError: something may not change, or not in this way; one line each.
        UsageError: an override cannot be read.
    """
    after = copy.deepcopy(dict(before))
    for override in overrides:
        apply_override(after, override)
    return _changes(before, spec_from_mapping(after, source="--set"), num_suggested, source="--set")


def changes_between(before: Mapping[str, Any], after: SweepSpec, num_suggested: int, source: str) -> dict[str, Any]:
    """The changes from a sweep's resolved spec to another spec, as path -> value.

    Name and storage are not compared: they, or an option that overrides them, were used to find the sweep.

    Raises:
        SpecError: something may not change, or not in this way; one line each.
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
        if (
            path == _MODELS
            and was.tracking.log_models == "none"
            and "log_models" not in after.tracking.model_fields_set
        ):
            continue  # a script's, which has none whatever the default is
        if section in _ANYTHING:
            changes[path] = value
        else:
            problems.append(f"{path}: {_WHY_NOT[section]}, so it cannot change in a resume; start a new sweep")
    if takes_last(old) != takes_last(new):
        why = "decides which epoch of a trial is its result, so it cannot change in a resume; start a new sweep"
        problems.append(f"early_stopping.patience.restore_best: {why}")
    if "num_trials" in changes and after.num_trials < num_suggested:
        problems.append(f"num_trials: {num_suggested} trials have already started, so it cannot be {after.num_trials}")
    if problems:
        raise SpecError(source, problems)
    return changes


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], keys: Sequence[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """The leaf paths at which two trees with the same fields differ, each with the new value."""
    for key in keys:
        was, value = old.get(key), new[key]
        if isinstance(value, Mapping):
            yield from _differences(was if isinstance(was, Mapping) else {}, value, list(value), f"{prefix}{key}.")
        elif key not in old or not _equal(was, value):
            yield f"{prefix}{key}", value


def _equal(was: Any, value: Any) -> bool:
    """Equality that distinguishes true from 1, also in lists."""
    if isinstance(was, list) and isinstance(value, list):
        return len(was) == len(value) and all(map(same, was, value))
    return same(was, value)


def _space_changes(was: SweepSpec, after: SweepSpec) -> tuple[dict[str, Any], list[str]]:
    """The changes within the parameters, and the problems with them."""
    changes: dict[str, Any] = {}
    problems = []
    for name, old in was.space.items():
        path = f"space.{name}"
        if name not in after.space:
            if not (
                name in ALWAYS_IN_SPACE and isinstance(old, Constant)
            ):  # added automatically when the sweep started
                problems.append(f"{path}: all trials so far have it, so it cannot be removed; start a new sweep")
            continue
        try:
            new = _like(old, after.space[name])
        except ValidationError as error:  # what only whole numbers may have, such as any number of steps
            problems += [line({**item, "loc": ("space", name, *item["loc"])}) for item in error.errors()]
            continue
        if _kind(new) != _kind(old):
            problems.append(f"{path}: is {_kind(old)}, so it cannot become {_kind(new)}")
        elif isinstance(old, Constant) and not old.contains(new.value):  # type: ignore[union-attr]
            problems.append(f"{path}: is {shown(old.value)} in all trials so far, so it cannot change")
        elif old.when != new.when:
            problems.append(f"{path}.when: decides which trials have {name}, so it cannot change")
        elif getattr(old, "coupling", None) != getattr(new, "coupling", None):
            problems.append(f"{path}.scale_learning_rate: decides the learning rate of a trial, so it cannot change")
        elif isinstance(old, Repeated) and isinstance(new, Repeated) and old.repeat != new.repeat:
            problems.append(f"{path}.repeat: decides how many values of {name} a trial has, so it cannot change")
        elif not isinstance(old, Constant):
            before, now = old.model_dump(exclude={"when"}), new.model_dump(exclude={"when"})
            changes |= _differences(before, now, list(now), f"{path}.")
    problems += [
        f"space.{name}: no trial so far has it, so it cannot be added; start a new sweep"
        for name in after.space
        if name not in was.space
    ]
    return changes, problems


def _kind(parameter: AnyParameter) -> str:
    if isinstance(parameter, Repeated):
        return f"{_KINDS[Repeated]}, each {_KINDS[type(parameter.element)]}"
    return _KINDS[type(parameter)]


def _like(old: AnyParameter, new: AnyParameter) -> AnyParameter:
    """Turns a new Int into a Float if the old range was one: bounds of a Float may be written as whole numbers.

    Raises:
        ValidationError: the new range is not a valid Float.
    """
    if isinstance(old, Repeated) and isinstance(new, Repeated):
        return new.model_copy(update={"element": _like(old.element, new.element)})
    if not (isinstance(old, Float) and isinstance(new, Int)):
        return new
    step = float(new.step) if "step" in new.model_fields_set and new.num is None else None
    return Float(low=float(new.low), high=float(new.high), step=step, num=new.num, scale=new.scale, when=new.when)
