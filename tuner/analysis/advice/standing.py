"""A folded sweep as the rules see it: its spec, and its trials in order of merit at the end of a whole training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

from tuner.analysis.ends import Courses
from tuner.analysis.noise import Noise, noise_of
from tuner.base.outcomes import UNUSABLE
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.sweep import Sweep, Trial

ENDED_BADLY = UNUSABLE - {"infeasible"}
"""Outcomes that say something of a configuration that could be tried."""


class Standing:
    """What every rule looks at.

    Attributes:
        rungs: the epochs at which trials are compared, without the end of a whole training.
        reached: the courses of the trials in `ranked`, by number, in the same order.
        ranked: trials with a result at a rung or at their end, the best expected end first, as the policy orders them.
        bad: trials that diverged, failed or ran out of memory.

    Raises:
        SpecError: the sweep's spec cannot be read by this version.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.spec: SweepSpec = spec_from_mapping(sweep.spec)
        self.sign = -1.0 if sweep.mode == "max" else 1.0
        self.bad = [trial for trial in sweep.trials.values() if trial.outcome in ENDED_BADLY]
        self._courses = Courses(sweep)
        self.rungs = self._courses.rungs
        usable = [it for it in self._courses.reached.values() if it.trial.usable]
        self.reached = {it.trial.number: it for it in sorted(usable, key=self._courses.merit)}
        self.ranked = [it.trial for it in self.reached.values()]

    @property
    def num_ended(self) -> int:
        """The trials that the rules judge by."""
        return len(self.ranked) + len(self.bad)

    @cached_property
    def places(self) -> dict[int, float]:
        """Trial -> its place from 1, the mean place among equals; those that ended badly share the last places."""
        found: dict[int, float] = {}
        keys = [(self._courses.merit(self.reached[trial.number]), trial.number) for trial in self.ranked]
        for _, together in groupby(keys, lambda item: item[0]):
            numbers = [number for _, number in together]
            place = len(found) + (len(numbers) + 1) / 2
            found |= dict.fromkeys(numbers, place)
        last = len(found) + (len(self.bad) + 1) / 2
        return {**found, **{trial.number: last for trial in self.bad}}

    @cached_property
    def expected(self) -> list[float]:
        """The losses of trials at the end of a whole training, ascending; carried there where they were stopped."""
        ends = (self._courses.merit(it) for it in self.reached.values())
        return sorted(loss for levels_without_a_line, loss in ends if levels_without_a_line == 0)

    @cached_property
    def noise(self) -> Noise | None:
        """By how much a result differs between trainings of one configuration; None if nothing tells."""
        return noise_of(self.sweep)

    def losses(self, trial: Trial) -> Sequence[float]:
        """An objective of which lower is better, epoch by epoch."""
        return [self.sign * self.sweep.value(epoch) for epoch in trial.epochs]
