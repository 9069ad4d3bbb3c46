"""What of a sweep may change when it is resumed: how long and on what it runs, not what was searched for."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.errors import SpecError
from tuner.spec.loading import apply_override, spec_from_mapping
from tuner.spec.models import SweepSpec

CHANGEABLE = ("num_trials", "budget", "resources", "failures", "checkpoints", "tracking")
_NOT_OF_THE_SWEEP = ("name", "storage")


def changes_from_overrides(before: Mapping[str, Any], overrides: Sequence[str], num_suggested: int) -> dict[str, Any]:
    """The changes that `--set` asks for in a resolved spec, as path -> value.

    Raises:
        SpecError: something that may not change, or not so; one line each.
        UsageError: an override cannot be read.
    """
    after = copy.deepcopy(dict(before))
    for override in overrides:
        apply_override(after, override)
    return changes_between(before, spec_from_mapping(after, source="--set"), num_suggested, source="--set")


def changes_between(before: Mapping[str, Any], after: SweepSpec, num_suggested: int, source: str) -> dict[str, Any]:
    """Where a spec differs from the one that a sweep began with, as path -> value.

    Raises:
        SpecError: something that may not change, or not so; one line each.
    """
    wanted = after.resolved()
    wanted["space"] = {**_constants(before["space"], after), **wanted["space"]}
    old, new = _flat(before), _flat(wanted)
    changes = {path: value for path, value in new.items() if path not in old or old[path] != value}
    changes |= {path: None for path in old.keys() - new.keys()}
    changes = {path: value for path, value in changes.items() if path.split(".")[0] not in _NOT_OF_THE_SWEEP}
    problems = [
        f"{path}: decides what the sweep's trials are, so it cannot change on the way; start another sweep"
        for path in changes
        if path.split(".")[0] not in CHANGEABLE
    ]
    if "num_trials" in changes and after.num_trials < num_suggested:
        problems.append(f"num_trials: {num_suggested} trials have begun already, so it cannot be {after.num_trials}")
    if problems:
        raise SpecError(source, problems)
    return changes


def _constants(space: Mapping[str, Any], after: SweepSpec) -> dict[str, Any]:
    """The constants that were added to the space when the sweep began."""
    return {name: value for name, value in space.items() if name not in after.space and not isinstance(value, dict)}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as path -> value; a parameter of the space stays whole."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and prefix != "space.":
            flat |= _flat(value, f"{path}.")
        else:
            flat[path] = value
    return flat
