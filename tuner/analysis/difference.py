"""Whether the bests of two sweeps differ by more than chance, after equal numbers of epochs.

Two things are left to chance. Another seed would have drawn other trials: the best of a third as many trials, drawn
with replacement, shows how much depends on a few lucky ones (the m out of n bootstrap; all n would understate it for a
maximum, see Bickel, Götze and van Zwet, "Resampling fewer than n observations", 1997). Another training of the same
configuration would give another value (`noise.py`). The distribution of the difference is computed, not sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

from tuner.analysis.noise import deviation
from tuner.analysis.results import results_after
from tuner.base.text import metric_text
from tuner.sweep import Sweep

TRIALS_MIN = 4
"""Fewer trials on a side could not show a difference, whatever their values."""
CONFIDENCE = 0.95
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Difference:
    """How much better the first of two sweeps is than the second after equal numbers of epochs."""

    sweeps: tuple[str, str]
    epochs: int
    """After so many epochs of each sweep's trials."""
    by: float | None
    """How much better the first sweep's best is, in units of the objective; negative if it is worse. None if one of
    them has no value yet."""
    low: float | None
    high: float | None
    """The interval of `by`, at a confidence of 95%; None if it cannot be told."""
    reason: str = ""
    """Why there is no interval."""

    @property
    def better(self) -> str | None:
        """The name of the sweep that is better beyond the noise; None if they cannot be told apart."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return None
        return self.sweeps[0] if self.low > 0 else self.sweeps[1]

    @property
    def text(self) -> str:
        """The finding as a sentence."""
        first, second = self.sweeps
        if self.by is None or self.low is None or self.high is None:
            return f"{first} and {second}: cannot tell yet: {self.reason}"
        if self.by < 0:
            return Difference((second, first), self.epochs, -self.by, -self.high, -self.low).text
        by, low, high = metric_text(self.by), metric_text(self.low), metric_text(self.high)
        after = f"after {self.epochs} epochs of each"
        if self.better is None:
            ahead = "their bests are equal" if self.by == 0 else f"{first} is ahead by {by}"
            return f"{first} and {second} cannot be told apart: {ahead} (interval {low} to {high}) {after}"
        return f"{first} is better than {second} by {by} (interval {low} to {high}) {after}"

    def data(self) -> dict[str, Any]:
        """As `tuner compare --json` prints it."""
        return {
            "sweeps": list(self.sweeps),
            "epochs": self.epochs,
            "by": self.by,
            "low": self.low,
            "high": self.high,
            "better": self.better,
            "text": self.text,
        }


def pair_differences(sweeps: Sequence[Sweep]) -> list[Difference]:
    """The difference of every two of some sweeps with the same objective."""
    return [difference(first, second) for first, second in combinations(sweeps, 2)]


def difference(first: Sweep, second: Sweep) -> Difference:
    """How much better the first sweep is than the second, after as many epochs as the shorter one has."""
    budget = min(first.num_epochs, second.num_epochs)
    names = first.name, second.name
    values = [results_after(sweep, budget) for sweep in (first, second)]
    by = values[0][0] - values[1][0] if all(values) else None
    for name, found in zip(names, values, strict=True):
        if len(found) < TRIALS_MIN:
            reason = f"after {budget} epochs, {name} has {len(found)} of the {TRIALS_MIN} trials that it takes"
            return Difference(names, budget, by, None, None, reason)
    blur = math.hypot(deviation(first), deviation(second))
    low, high = _interval([_best_of_a_third(found) for found in values], blur)
    return Difference(names, budget, by, low, high)


def _best_of_a_third(values: Sequence[float]) -> list[tuple[float, float]]:
    """(value, probability) of the best of a third as many draws with replacement; values come best first."""
    size, draws = len(values), math.ceil(len(values) / 3)
    not_yet = [((size - rank) / size) ** draws for rank in range(size + 1)]
    found = [
        (value, not_yet[rank] - not_yet[rank + 1])
        for rank, value in enumerate(values)
        if math.isfinite(value) and not_yet[rank] > _NEGLIGIBLE
    ]
    total = sum(share for _, share in found)
    return [(value, share / total) for value, share in found]


def _interval(bests: Sequence[Sequence[tuple[float, float]]], blur: float) -> tuple[float, float]:
    """The central interval of the first best minus the second, blurred by a normal deviation."""
    pairs = sorted((one - other, p * q) for one, p in bests[0] for other, q in bests[1])
    tail = (1 - CONFIDENCE) / 2
    return _quantile(pairs, blur, tail), _quantile(pairs, blur, 1 - tail)


def _quantile(pairs: Sequence[tuple[float, float]], blur: float, share: float) -> float:
    """Where the distribution function of weighted values, blurred by a normal deviation, reaches a share."""
    if blur == 0:
        reached = 0.0
        for value, weight in pairs:
            reached += weight
            if reached >= share:
                return value
        return pairs[-1][0]
    normal = NormalDist(0.0, blur)
    low, high = pairs[0][0] - 8 * blur, pairs[-1][0] + 8 * blur
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(weight * normal.cdf(middle - value) for value, weight in pairs)
        low, high = (middle, high) if below < share else (low, middle)
    return (low + high) / 2
