"""What each trial of a sweep would have come to, as the policy expects it: see `tuner.policy.ends`."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

from tuner.base.outcomes import UNUSABLE
from tuner.base.patience import takes_last
from tuner.policy.asha import rung_epochs
from tuner.policy.ends import Ends
from tuner.sweep import Sweep, Trial

LEFT_OUT = ("infeasible", "cancelled")
"""Outcomes that say nothing about how good a configuration is."""


@dataclass(frozen=True)
class Expected:
    """The ends of a sweep's trials, as losses: a lower one is better."""

    losses: dict[int, float]
    """By number, of each trial with a result."""
    bad: frozenset[int]
    """Trials that diverged or failed, which have no loss."""


@dataclass
class _Course:
    """How a trial's loss went from level to level."""

    last: int
    """The level at which its training was to end."""
    losses: dict[int, float] = field(default_factory=dict)
    """By level, the best loss up to it."""
    ended: tuple[int, float] | None = None
    """Of a training that ended itself before: the level at which it would have ended, and its loss."""

    def carried(self, ends: Ends, common: int | None = None) -> tuple[int, float]:
        """As `Ends.end`; from no level behind `common`, if it reached that one."""
        if self.ended is not None and (common is None or self.ended[0] <= common):
            return ends.end(self.ended[0], *self.ended)
        allowed = [level for level in self.losses if common is None or level <= common]
        level = max(allowed, default=min(self.losses, default=0))
        return ends.end(level, self.last, self.losses[level]) if self.losses else (0, self.ended[1])  # type: ignore[index]


def expected(sweep: Sweep) -> Expected:
    """The ends of all trials: reached, or carried from the deepest rung that was reached.

    While too few trials went on from a level for a line, all are compared there, also those that went on.
    """
    rungs = _rungs(sweep)
    courses = {number: _course(sweep, trial, rungs) for number, trial in sweep.trials.items()}
    bad = frozenset(number for number, trial in sweep.trials.items() if _is_bad(sweep, trial))
    ends = Ends(len(rungs) + 1)
    for course in courses.values():
        for level, loss in course.losses.items():
            is_short = level + 1 == course.last < len(rungs)  # ends between the levels of a whole training
            if level + 1 in course.losses and not is_short:
                ends.add(level, loss, course.losses[level + 1])
    usable = {
        number: course
        for number, course in courses.items()
        if (course.losses or course.ended) and number not in bad and sweep.trials[number].outcome not in LEFT_OUT
    }
    missing = max((course.carried(ends)[0] for course in usable.values()), default=0)
    common = len(rungs) - missing
    return Expected({number: course.carried(ends, common)[1] for number, course in usable.items()}, bad)


def _course(sweep: Sweep, trial: Trial, rungs: list[int]) -> _Course:
    """A trial's losses, up to its first one that is not finite."""
    sign, takes_newest = -1.0 if sweep.mode == "max" else 1.0, takes_last(sweep.spec)
    end = int(trial.params.get("epochs") or _longest(sweep))  # type: ignore[arg-type]
    course = _Course(bisect_left(rungs, end))
    best = math.inf
    for epoch in trial.epochs:
        loss = sign * sweep.value(epoch)
        if not math.isfinite(loss):
            return course
        best = loss if takes_newest else min(best, loss)
        if epoch.epoch >= end:
            course.losses[course.last] = best
        elif (level := bisect_left(rungs, epoch.epoch)) < len(rungs) and rungs[level] == epoch.epoch:
            course.losses[level] = best
    if trial.epochs and trial.epochs_trained < end and trial.outcome in ("plateaued", "completed"):
        course.ended = bisect_left(rungs, trial.epochs_trained), best
    return course


def _is_bad(sweep: Sweep, trial: Trial) -> bool:
    if trial.outcome in LEFT_OUT:
        return False
    return trial.outcome in UNUSABLE or (bool(trial.epochs) and not math.isfinite(sweep.value(trial.epochs[-1])))


def _rungs(sweep: Sweep) -> list[int]:
    """The epochs of a sweep's levels, without the end of a whole training."""
    epochs, stopping = sweep.spec.get("epochs") or {}, sweep.spec.get("early_stopping") or {}
    return rung_epochs(epochs.get("min") or 1, _longest(sweep), stopping.get("reduction_factor") or 3)


def _longest(sweep: Sweep) -> int:
    """The epochs of a whole training."""
    return int((sweep.spec.get("epochs") or {}).get("max") or 1)
