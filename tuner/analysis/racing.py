"""The best value so far over time: what a sweep had found after how many seconds at work."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate, pairwise

from tuner.sweep import Sweep, Trial, is_better
from tuner.sweep.events import EpochReported


def best_over_time(sweep: Sweep) -> list[tuple[float, float]]:
    """(seconds, best objective value by then) for each improvement, and for the last epoch.

    Seconds count from the sweep's start while a driver runs it; time without a driver is left out.
    """
    before_s = [0.0, *accumulate(span.last_at - span.started_at for span in sweep.spans)]
    reported = sorted(
        ((epoch.seq, trial, epoch, driver) for trial in sweep.trials.values() for epoch, driver in _epochs(trial)),
        key=lambda row: row[0],
    )
    steps: list[tuple[float, float]] = []
    at_s = 0.0
    for _, trial, epoch, driver in reported:
        at_s = before_s[driver] + sweep.spans[driver].at(epoch) - sweep.spans[driver].started_at
        value = sweep.value(epoch)
        if trial.usable and math.isfinite(value) and (not steps or is_better(value, steps[-1][1], sweep.mode)):
            steps.append((at_s, value))
    if steps and steps[-1][0] < at_s:
        steps.append((at_s, steps[-1][1]))
    return steps


def _epochs(trial: Trial) -> Iterator[tuple[EpochReported, int]]:
    """Each epoch of a trial, with the number of the driver that it was reported to."""
    for (first, driver), (stop, _) in pairwise([*trial.drivers, (len(trial.epochs), -1)]):
        for epoch in trial.epochs[first:stop]:
            yield epoch, driver
