"""What a sweep costs in time, by what a probe has measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from tuner.base.text import duration_text
from tuner.inspection.preview import expected_epochs
from tuner.probe.result import ProbeResult
from tuner.spec import SweepSpec

SLOTS = (1, 8, 64)


@dataclass(frozen=True)
class Cost:
    """Training and validation of a sweep's trials, on slots like the one that was measured."""

    num_trials: int
    epochs: int
    """Of all trials together, as early stopping is expected to leave them."""
    epoch_s: float
    """One epoch with its validation: the mean of the batch sizes."""
    longest_s: float
    """One whole training at the slowest batch size, which no number of slots shortens."""

    def wall_s(self, slots: int) -> float:
        """Seconds on so many slots; the start of the workers comes on top."""
        return max(self.epochs * self.epoch_s / min(slots, self.num_trials), self.longest_s)

    def lines(self) -> list[str]:
        """What people are told of it."""
        times = ", ".join(f"{_text(self.wall_s(slots))} on {slots}" for slots in SLOTS)
        return [
            f"{self.num_trials} trials train about {self.epochs:,} epochs of {self.epoch_s:.2g} s:"
            f" {times} slots like the one measured, without the start of workers"
        ]

    def as_data(self) -> dict[str, Any]:
        """As `tuner probe --json` has it."""
        by_slots = {str(slots): round(self.wall_s(slots), 3) for slots in SLOTS}
        return {
            "num_trials": self.num_trials,
            "epochs": self.epochs,
            "epoch_s": self.epoch_s,
            "wall_s": by_slots,
        }


def _text(seconds: float) -> str:
    return duration_text(seconds) if seconds >= 1 else "under 1 s"


def sweep_cost(spec: SweepSpec, result: ProbeResult, batch_sizes: Sequence[int]) -> Cost | None:
    """The cost of a sweep that draws these batch sizes evenly; None where no epoch was measured."""
    times = [time for size in batch_sizes or _measured(result) if (time := epoch_seconds(result, size)) is not None]
    if not times:
        return None
    folds = spec.folds or 1
    return Cost(
        spec.num_trials,
        expected_epochs(spec, spec.num_trials),
        folds * fmean(times),
        spec.epochs.max * folds * max(times),
    )


def epoch_seconds(result: ProbeResult, batch_size: int) -> float | None:
    """Seconds of an epoch with validation, from the ladder's nearest batch size, or else from a short training."""
    trained = {curve.batch_size: median(curve.epoch_s[1:] or curve.epoch_s) for curve in result.epochs.curves
               if curve.epoch_s}  # fmt: skip
    if batch_size in trained:
        return trained[batch_size]
    ladder = {step.batch_size: step.epoch_s for step in result.ladder.steps if step.epoch_s}
    if not ladder:
        return trained[_nearest(batch_size, list(trained))] if trained else None
    validation = [trained[size] - ladder[size] for size in trained if size in ladder]
    return ladder[_nearest(batch_size, list(ladder))] + max(0.0, median(validation) if validation else 0.0)


def _nearest(batch_size: int, sizes: Sequence[int]) -> int:
    return min(sizes, key=lambda size: abs(math.log(size / batch_size)))


def _measured(result: ProbeResult) -> list[int]:
    return sorted({*(step.batch_size for step in result.ladder.steps), *(c.batch_size for c in result.epochs.curves)})
