"""A folded sweep as the rules see it: its spec, and its trials in order of merit at the end of a whole training."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from tuner.analysis.advice.noise import Noise, noise_of
from tuner.base.outcomes import UNUSABLE
from tuner.base.patience import takes_last
from tuner.policy.asha import rung_epochs
from tuner.policy.ends import Ends
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.sweep import Sweep, Trial

ENDED_BADLY = UNUSABLE - {"infeasible"}
"""Outcomes that say something of a configuration that could be tried."""


@dataclass(frozen=True)
class Reached:
    """A trial's losses (lower is better) at the levels that it reached: rungs, and the end of its training."""

    trial: Trial
    levels: tuple[tuple[int, float], ...]
    """(index of the level, best loss up to it), ascending; a level may be left out by a short training alone."""
    last: int
    """The index of the level at which its training ends."""

    @property
    def has_ended(self) -> bool:
        """Whether it trained to its end, rather than being stopped on the way."""
        return bool(self.levels) and self.levels[-1][0] == self.last


class Standing:
    """What every rule looks at.

    Attributes:
        ranked: trials with a result at a rung or at their end, the best expected end first, as the policy orders them.
        bad: trials that diverged, failed or ran out of memory.

    Raises:
        SpecError: the sweep's spec cannot be read by this version.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.spec: SweepSpec = spec_from_mapping(sweep.spec)
        self.rungs = rung_epochs(self.spec.epochs.min, self.spec.epochs.max, self.spec.early_stopping.reduction_factor)
        self.sign = -1.0 if sweep.mode == "max" else 1.0
        self.takes_last = takes_last(sweep.spec)
        self.bad = [trial for trial in sweep.trials.values() if trial.outcome in ENDED_BADLY]
        usable = [trial for trial in sweep.trials.values() if trial.usable]
        reached = [it for trial in usable if (it := self._reached(trial)).levels]
        self.ends = Ends(len(self.rungs) + 1)
        for it in reached:
            for (level, loss), (following, after) in pairwise(it.levels):
                if following == level + 1 and not (following == it.last < len(self.rungs)):
                    self.ends.add(level, loss, after)
        self.reached = {it.trial.number: it for it in sorted(reached, key=self._merit)}
        self.ranked = [it.trial for it in self.reached.values()]

    @property
    def num_ended(self) -> int:
        """The trials that the rules judge by."""
        return len(self.ranked) + len(self.bad)

    @cached_property
    def places(self) -> dict[int, float]:
        """Trial -> its place from 1, the mean place among equals; those that ended badly share the last places."""
        found: dict[int, float] = {}
        keys = [(self._merit(self.reached[trial.number]), trial.number) for trial in self.ranked]
        for _, together in groupby(keys, lambda item: item[0]):
            numbers = [number for _, number in together]
            place = len(found) + (len(numbers) + 1) / 2
            found |= dict.fromkeys(numbers, place)
        last = len(found) + (len(self.bad) + 1) / 2
        return {**found, **{trial.number: last for trial in self.bad}}

    @cached_property
    def expected(self) -> list[float]:
        """The losses of trials at the end of a whole training, ascending; carried there where they were stopped."""
        ends = (self._merit(it) for it in self.reached.values())
        return sorted(loss for levels_without_a_line, loss in ends if levels_without_a_line == 0)

    @cached_property
    def noise(self) -> Noise | None:
        """By how much a result differs between trainings of one configuration; None if nothing tells."""
        return noise_of(self.sweep, self.ranked)

    def losses(self, trial: Trial) -> Sequence[float]:
        """An objective of which lower is better, epoch by epoch."""
        return [self.sign * self.sweep.value(epoch) for epoch in trial.epochs]

    def _merit(self, it: Reached) -> tuple[int, float]:
        level, loss = it.levels[-1]
        return self.ends.end(level, it.last, loss)

    def _reached(self, trial: Trial) -> Reached:
        last = bisect_left(self.rungs, trial.epochs_max)
        ends_at = trial.epochs_max
        if trial.outcome in ("plateaued", "completed") and trial.epochs:
            ends_at = trial.epochs_trained
            last = (
                bisect_left(self.rungs, ends_at) if trial.outcome == "plateaued" or ends_at < trial.epochs_max else last
            )
        levels: dict[int, float] = {}
        best = math.inf
        for epoch, loss in zip(trial.epochs, self.losses(trial), strict=True):
            if math.isfinite(loss):
                best = loss if self.takes_last else min(best, loss)
            if (epoch.epoch in self.rungs or epoch.epoch == ends_at) and math.isfinite(best):
                levels[bisect_left(self.rungs, epoch.epoch)] = best
        return Reached(trial, tuple(levels.items()), last)
