"""The command of a finding, checked as the spec's own parser checks it, so that it can be pasted."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from trainables.given import is_given
from tuner.analysis.advice.calls import resume_call, run_call
from tuner.analysis.advice.finding import Finding, override
from tuner.base.errors import TunerError
from tuner.spec import spec_from_mapping
from tuner.spec.changes import changes_from_overrides
from tuner.spec.reading import apply_override
from tuner.storage import SweepFolder
from tuner.storage.commands import resume_line, run_line
from tuner.sweep import Sweep

_MORE = 2
"""One part in so many of a sweep's trials is added where all of them were tried."""


def command_of(sweep: Sweep, finding: Finding, folder: SweepFolder | None) -> tuple[str, tuple[str, ...]] | None:
    """The command line for a finding, and its overrides; None if the spec takes them neither here nor when new."""
    name, root = (sweep.name, None) if folder is None else (folder.name, folder.root)
    in_python = is_given(str(sweep.spec.get("trainable")))
    if not finding.needs_new and (resumed := _resumed(sweep, finding)) is not None:
        call = resume_call(sweep.spec, name, root, resumed) if in_python else resume_line(name, root, resumed)
        return call, resumed
    if _is_accepted(sweep.spec, finding.overrides):
        new = finding.overrides
        return (run_call(sweep.spec, name, folder, new) if in_python else run_line(name, folder, new)), new
    return None


def _resumed(sweep: Sweep, finding: Finding) -> tuple[str, ...] | None:
    """The overrides with which the sweep can go on; None if it cannot with these.

    A sweep that has tried all of its trials needs more of them for anything to change.
    """
    overrides = finding.overrides
    if sweep.num_counted >= sweep.num_trials and not any(item.startswith("num_trials=") for item in overrides):
        overrides = (*overrides, override("num_trials", sweep.num_trials + max(1, sweep.num_trials // _MORE)))
    try:
        return overrides if changes_from_overrides(sweep.spec, overrides, sweep.num_counted) else None
    except TunerError:
        return None


def _is_accepted(spec: Mapping[str, Any], overrides: Sequence[str]) -> bool:
    changed = copy.deepcopy(dict(spec))
    try:
        for item in overrides:
            apply_override(changed, item)
        spec_from_mapping(changed, is_new=True)
    except TunerError:
        return False
    return True
