"""How fast trials trained, against their batch size."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Literal

from trainables.counts import SAMPLES
from tuner.sweep import Sweep, Trial


@dataclass(frozen=True)
class Throughput:
    """Speeds of trials."""

    unit: Literal["examples", "epochs"]
    """What is counted a second; epochs where trials do not report how many examples they have seen."""
    trials: dict[int, tuple[int, float]]
    """Trial -> (batch size, units a second); without its first epoch, which may trace a graph, if it has others."""

    def medians(self) -> dict[int, float]:
        """Batch size -> the median of its trials, by batch size."""
        sizes = sorted({size for size, _ in self.trials.values()})
        return {size: median(speed for other, speed in self.trials.values() if other == size) for size in sizes}


def throughput(sweep: Sweep) -> Throughput | None:
    """The speed of each trial that has a batch size and has trained; None if there is no such trial."""
    sizes = {trial.number: size for trial in sweep.trials.values() if trial.epochs and (size := batch_size(trial))}
    trained = [sweep.trials[number] for number in sizes]
    is_counted = all(SAMPLES in epoch.metrics for trial in trained for epoch in (trial.epochs[0], trial.epochs[-1]))
    speeds = {
        trial.number: (sizes[trial.number], speed) for trial in trained if (speed := _speed(trial, is_counted)) > 0
    }
    return Throughput("examples" if is_counted else "epochs", speeds) if speeds else None


def batch_size(trial: Trial) -> int | None:
    """The batch size that a trial trains with; None where it has none."""
    size = trial.used.get("batch_size", trial.params.get("batch_size"))
    return size if isinstance(size, int) and not isinstance(size, bool) and size > 0 else None


def _speed(trial: Trial, is_counted: bool) -> float:
    """Examples or epochs a second; 0 where nothing can be said."""
    warm = trial.epochs[1:]
    seconds = sum(epoch.epoch_s for epoch in warm or trial.epochs)
    if not is_counted:
        return (len(warm) or 1) / seconds if seconds > 0 else 0.0
    seen = trial.epochs[-1].metrics[SAMPLES] or 0.0
    before = (trial.epochs[0].metrics[SAMPLES] or 0.0) if warm else 0.0
    return (seen - before) / seconds if seconds > 0 else 0.0
