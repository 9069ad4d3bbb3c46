"""What early stopping has saved: the epochs that stopped trials did not train, and about how long they would take."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from tuner.sweep import Sweep, Trial

EARLY = ("stopped", "plateaued")
"""Outcomes of trials that were ended before all their epochs because more would not have paid."""


@dataclass(frozen=True)
class Saved:
    """Epochs and seconds, trained and saved."""

    trials: int
    """How many trials early stopping has ended."""
    epochs: int
    seconds: float
    """An estimate: each saved epoch counts as its trial's typical one."""
    epochs_trained: int
    training_s: float

    @property
    def epochs_share(self) -> float:
        """Of the epochs that all trials would have trained."""
        return _share(self.epochs, self.epochs_trained)

    @property
    def seconds_share(self) -> float:
        return _share(self.seconds, self.training_s)


def saved(sweep: Sweep) -> Saved | None:
    """What was saved so far; None if no trial was ended early."""
    early = [trial for trial in sweep.trials.values() if trial.outcome in EARLY and trial.epochs]
    left = {trial.number: epochs_left(trial) for trial in early}
    if not any(left.values()):
        return None
    seconds = sum(left[trial.number] * typical_epoch_s(trial) for trial in early)
    trained = sum(len(trial.epochs) for trial in sweep.trials.values())
    return Saved(sum(map(bool, left.values())), sum(left.values()), seconds, trained, sweep.training_s)


def epochs_left(trial: Trial) -> int:
    """The epochs of its whole training that a trial has not trained."""
    whole = trial.params.get("epochs")
    return max(0, int(whole) - trial.epochs_trained) if isinstance(whole, int | float) else 0


def typical_epoch_s(trial: Trial) -> float:
    """The median of a trial's epochs; its first one, which may trace a graph, counts only if it is the only one."""
    return median(epoch.epoch_s for epoch in (trial.epochs[1:] or trial.epochs))


def _share(saved: float, trained: float) -> float:
    return saved / (saved + trained) if saved + trained > 0 else 0.0
