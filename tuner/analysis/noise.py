"""By how much two trainings of one configuration differ, from what a sweep has seen."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tuner.base.words import key
from tuner.sweep import Sweep, Trial

_MIN_REPEATS = 3
"""So many repeats of configurations, beyond the first of each, tell the noise."""
_NUM_BEST = 8
"""The epochs of so many of the best trials tell the scatter."""
_MIN_EPOCHS = 8


@dataclass(frozen=True)
class Noise:
    """A standard deviation of results, in units of the objective, and where it is from."""

    deviation: float
    source: str
    """What it is measured by, in words."""


def noise_of(sweep: Sweep) -> Noise | None:
    """From configurations that were trained more than once, else from the scatter between late epochs.

    The scatter leaves out what a curve rises or falls by steadily. It is at most what another seed changes, as a
    seed also decides where the curve leads.
    """
    ranked = sweep.ranked()
    return _of_repeats(ranked) or _of_epochs(sweep, ranked[:_NUM_BEST])


def deviation(sweep: Sweep) -> float:
    """The standard deviation alone; 0 if nothing tells."""
    noise = noise_of(sweep)
    return 0.0 if noise is None else noise.deviation


def _of_repeats(ranked: Sequence[Trial]) -> Noise | None:
    alike: dict[object, list[float]] = defaultdict(list)
    for trial in ranked:
        alike[key(trial.params), trial.epochs_trained].append(trial.best_value)
    groups = [values for values in alike.values() if len(values) > 1]
    degrees = sum(len(values) - 1 for values in groups)
    if degrees < _MIN_REPEATS:
        return None
    squares = sum(statistics.variance(values) * (len(values) - 1) for values in groups)
    return Noise(math.sqrt(squares / degrees), "the scatter between trials with the same parameters")


def _of_epochs(sweep: Sweep, best: Sequence[Trial]) -> Noise | None:
    found = [it for trial in best if (it := _scatter([sweep.value(epoch) for epoch in trial.epochs])) is not None]
    return Noise(statistics.median(found), "the scatter between their last epochs") if found else None


def _scatter(values: Sequence[float]) -> float | None:
    """The standard deviation around a straight line through three epochs each, in the second half of a training."""
    late = [value for value in values[len(values) // 2 :] if math.isfinite(value)]
    if len(values) < _MIN_EPOCHS or len(late) < 4:
        return None
    bends = [late[i] - 2 * late[i + 1] + late[i + 2] for i in range(len(late) - 2)]
    return math.sqrt(statistics.fmean(bend * bend for bend in bends) / 6)
