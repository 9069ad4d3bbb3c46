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
    """The level at which its training ends."""
    losses: dict[int, float] = field(default_factory=dict)
    """By level, the best loss up to it."""

    @property
    def level(self) -> int:
        """The deepest one that it reached."""
        return max(self.losses)


def expected(sweep: Sweep) -> Expected:
    """The ends of all trials: reached, or carried from the deepest rung that was reached.

    While too few trials went on from a level for a line, all are compared there, also those that went on.
    """
    rungs = _rungs(sweep)
    courses = {number: _course(sweep, trial, rungs) for number, trial in sweep.trials.items()}
    bad = frozenset(number for number, trial in sweep.trials.items() if _is_bad(sweep, trial))
    ends = Ends(len(rungs) + 1)
    for course in courses.values():
        for level in range(course.level if course.losses else 0):
            is_short = level + 1 == course.last < len(rungs)  # ends between the levels of a whole training
            if level in course.losses and level + 1 in course.losses and not is_short:
                ends.add(level, course.losses[level], course.losses[level + 1])
    usable = {
        number: course
        for number, course in courses.items()
        if course.losses and number not in bad and sweep.trials[number].outcome not in LEFT_OUT
    }
    missing = max((ends.end(it.level, it.last, it.losses[it.level])[0] for it in usable.values()), default=0)
    common = len(rungs) - missing
    return Expected({number: _end(course, ends, common) for number, course in usable.items()}, bad)


def _end(course: _Course, ends: Ends, common: int) -> float:
    """The loss at the deepest level to which every trial can be carried."""
    level = max(level for level in course.losses if level <= common or level == min(course.losses))
    return ends.end(level, course.last, course.losses[level])[1]


def _course(sweep: Sweep, trial: Trial, rungs: list[int]) -> _Course:
    """A trial's losses, up to its first one that is not finite."""
    sign, takes_newest = -1.0 if sweep.mode == "max" else 1.0, takes_last(sweep.spec)
    ended_itself = trial.outcome in ("plateaued", "completed")
    end = trial.epochs_trained if ended_itself else int(trial.params.get("epochs") or _longest(sweep))  # type: ignore[arg-type]
    course = _Course(bisect_left(rungs, end))
    best = math.inf
    for epoch in trial.epochs:
        loss = sign * sweep.value(epoch)
        if not math.isfinite(loss):
            break
        best = loss if takes_newest else min(best, loss)
        if epoch.epoch >= end:
            course.losses[course.last] = best
        elif (level := bisect_left(rungs, epoch.epoch)) < len(rungs) and rungs[level] == epoch.epoch:
            course.losses[level] = best
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
