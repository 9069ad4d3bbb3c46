"""Which trials are given out ahead: before their slot is free, where what it trains next is chosen without results.

The process then begins the next trial when the one before has had its last epoch, without waiting for an answer.
"""

from __future__ import annotations

from tuner.sweep import Trial

AHEAD_S = 1.0
"""A trial is given out at most about so long before its slot is free, or an epoch: other slots may be free before."""


def is_soon_over(trial: Trial) -> bool:
    """Whether a trial that trains all of its epochs has trained nearly all."""
    left = trial.epochs_max - trial.epochs_trained
    return left <= 1 or (bool(trial.epochs) and left * trial.epochs[-1].epoch_s <= AHEAD_S)


def leaves_enough(num_left: int, slots: int) -> bool:
    """Whether each slot finds a trial after this one is given out; towards the end of a sweep, none may wait."""
    return num_left > slots
