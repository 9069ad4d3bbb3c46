"""What each trial of a sweep would have come to, as the policy expects it: see `tuner.policy.ends`.

Losses are those of the objective, with its sign changed where the highest is best: a lower one is better.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
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
    """The ends of a sweep's trials, as losses."""

    losses: dict[int, float]
    """By number, of each trial with a result."""
    bad: frozenset[int]
    """Trials that diverged or failed, which have no loss."""


def expected(sweep: Sweep) -> Expected:
    """The ends of all trials: reached, or carried from the deepest rung that was reached."""
    courses = Courses(sweep)
    bad = frozenset(number for number, trial in sweep.trials.items() if _is_bad(sweep, trial))
    usable = [number for number, trial in sweep.trials.items() if number not in bad and trial.outcome not in LEFT_OUT]
    return Expected(courses.carried(usable), bad)


@dataclass
class Course:
    """How a trial's loss went from level to level: rungs, and the end of its training."""

    trial: Trial
    planned: int
    """The index of the level at which its training was to end."""
    losses: dict[int, float] = field(default_factory=dict)
    """By index of a level, ascending, the best loss up to it."""
    ended: tuple[int, float] | None = None
    """Of a training that ended itself before: the level at which it would have ended, and its loss."""

    @property
    def levels(self) -> dict[int, float]:
        """`losses`, and the end of a training that ended itself."""
        return self.losses if self.ended is None else {**self.losses, self.ended[0]: self.ended[1]}

    @property
    def last(self) -> int:
        """The index of the level at which its training ends."""
        return self.planned if self.ended is None else self.ended[0]

    @property
    def has_ended(self) -> bool:
        """Whether it trained to its end, rather than being stopped on the way."""
        return self.last in self.levels


class Courses:
    """The courses of a sweep's trials, and the lines that carry them to the end of a whole training.

    Attributes:
        rungs: the epochs of the levels, without the end of a whole training.
        reached: the courses of the trials that have reached a level, by number.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.rungs = _rungs(sweep)
        courses = (_course(sweep, trial, self.rungs) for trial in sweep.trials.values())
        self.reached = {course.trial.number: course for course in courses if course.levels}
        self._ends = Ends(len(self.rungs) + 1)
        for course in self.reached.values():
            for step in self._steps(course):
                self._ends.add(*step)

    def merit(self, course: Course, common: int | None = None) -> tuple[int, float]:
        """As `Ends.end`: (levels without a line so far, expected loss), which puts the best expected end first.

        Args:
            common: the end is carried from no level behind this one, if the course reached it.
        """
        levels = course.levels
        level = max((it for it in levels if common is None or it <= common), default=min(levels))
        return self._ends.end(level, course.last, levels[level])

    def carried(self, numbers: Iterable[int]) -> dict[int, float]:
        """The expected losses of those of some trials that have reached a level.

        While too few trials went on from a level for a line, all are compared there, also those that went on.
        """
        courses = {number: self.reached[number] for number in numbers if number in self.reached}
        missing = max((self.merit(course)[0] for course in courses.values()), default=0)
        common = len(self.rungs) - missing
        return {number: self.merit(course, common)[1] for number, course in courses.items()}

    def _steps(self, course: Course) -> Iterator[tuple[int, float, float]]:
        """(level, loss, loss at the next level) of a course, where both are levels of a whole training."""
        for level, loss in course.losses.items():
            ends_between = level + 1 == course.planned < len(self.rungs)
            if level + 1 in course.losses and not ends_between:
                yield level, loss, course.losses[level + 1]


def _course(sweep: Sweep, trial: Trial, rungs: list[int]) -> Course:
    """A trial's losses, up to its first one that is not finite."""
    sign, takes_newest = -1.0 if sweep.mode == "max" else 1.0, takes_last(sweep.spec)
    end = int(trial.params.get("epochs") or _longest(sweep))  # type: ignore[arg-type]
    course = Course(trial, bisect_left(rungs, end))
    best = math.inf
    for epoch in trial.epochs:
        loss = sign * sweep.value(epoch)
        if not math.isfinite(loss):
            return course
        best = loss if takes_newest else min(best, loss)
        if epoch.epoch >= end:
            course.losses[course.planned] = best
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
