"""Chooses what of a large sweep is drawn: some of its trials, and some of the points of a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tuner.sweep import Sweep, Trial

T = TypeVar("T")


def shown_trials(sweep: Sweep, trials_max: int) -> list[Trial]:
    """At most so many trials by number: the best half, the newest quarter, and others evenly from all."""
    trials = list(sweep.trials.values())
    if len(trials) <= trials_max:
        return trials
    chosen = {trial.number for trial in sweep.ranked()[: trials_max // 2]}
    chosen |= {trial.number for trial in trials[len(trials) - trials_max // 4 :]}
    left = [trial.number for trial in trials if trial.number not in chosen]
    chosen |= set(evenly(left, trials_max - len(chosen)))
    return [trial for trial in trials if trial.number in chosen]


def evenly(items: Sequence[T], number: int) -> list[T]:
    """At most so many items at equal distances, the first and the last always among them."""
    if len(items) <= number:
        return list(items)
    if number < 2:
        return list(items[:number])
    return [items[round(place * (len(items) - 1) / (number - 1))] for place in range(number)]


def length_max(lengths: Sequence[int], total: int) -> int:
    """The longest that a curve may be so that all together have at most `total` points; 2 at least."""
    left, remaining = total, len(lengths)
    for length in sorted(lengths):
        if length * remaining > left:
            return max(2, left // remaining)
        left, remaining = left - length, remaining - 1
    return max(lengths, default=2)
