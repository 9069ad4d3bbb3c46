"""The expected end of a trial: its loss, carried from the deepest rung it reached to the end of a whole training.

Losses at different epochs cannot be compared, but their ends can be estimated. A straight line leads from each level (a
rung, or a whole training) to the next, fitted to the trials that reached both. While pairs are few, its slope is shrunk
towards the ratio of the spreads. Stopped trials are missing from the fit, but that does not bend the line: trials are
stopped by their loss at the level where the line starts.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

MIN_PAIRS = 3
"""Until this many trials have reached both levels, a trial that went further counts as better."""
OUTLOOK_PAIRS = 5
"""Until this many trials have reached both levels, an expected end has no standard deviation."""
MAX_PAIRS = 128
"""How many of the best trials of a level a line is fitted to: it matters there, and its cost stays bounded."""
_SHRINKAGE = 3.0
_MIN_SLOPE = 0.05


@dataclass(frozen=True)
class Line:
    """From a level to the next: loss -> next_mean + slope * (loss - mean), with standard deviation sqrt(variance)."""

    mean: float
    next_mean: float
    slope: float
    variance: float
    """The variance of the pairs' next losses around the line."""

    def __call__(self, loss: float) -> float:
        return self.next_mean + self.slope * (loss - self.mean)


class Ends:
    """The lines between the levels of a sweep. A level is given by its index; the last one is a whole training."""

    def __init__(self, num_levels: int) -> None:
        self._last = num_levels - 1
        self._pairs: list[list[tuple[float, float]]] = [[] for _ in range(self._last)]
        self._lines: list[Line | None] = [None] * self._last

    def add(self, level: int, loss: float, next_loss: float) -> None:
        """Takes a trial that continued from a level to the next."""
        pairs = self._pairs[level]
        insort(pairs, (loss, next_loss))
        if len(pairs) > MAX_PAIRS and pairs.pop() == (loss, next_loss):
            return  # the pairs are those before
        if len(pairs) >= MIN_PAIRS:
            self._lines[level] = _line(pairs)

    def end(self, level: int, last: int, loss: float) -> tuple[int, float]:
        """A sort key that puts the best expected end first: (levels without a line so far, loss after the last line).

        A training that is shorter than a whole one ends at its own `last` level.
        """
        for place in range(level, self._last):
            line = self._lines[place]
            if line is None:
                return self._last - place, loss
            if place < last:
                loss = line(loss)
        return 0, loss

    def outlook(self, level: int, last: int, loss: float) -> tuple[float, float] | None:
        """The expected final loss and its standard deviation; None while pairs are few.

        The variance of each line is propagated along the slopes of the lines after it.
        """
        variance = 0.0
        for place in range(level, last):
            line = self._lines[place]
            if line is None or len(self._pairs[place]) < OUTLOOK_PAIRS:
                return None
            loss = line(loss)
            variance = line.slope * line.slope * variance + line.variance
        return loss, math.sqrt(variance)


def _line(pairs: Sequence[tuple[float, float]]) -> Line:
    """The line of MIN_PAIRS or more; losses too large to be squared are left unchanged, with infinite variance."""
    try:
        return _fitted(pairs)
    except OverflowError:
        return Line(0.0, 0.0, 1.0, math.inf)


def _fitted(pairs: Sequence[tuple[float, float]]) -> Line:
    """Least squares with a ridge towards the ratio of the standard deviations, which is capped at 1; always rising.

    Raises:
        OverflowError: the losses are too large to be squared and summed.
    """
    count = len(pairs)
    mean = math.fsum(loss for loss, _ in pairs) / count
    next_mean = math.fsum(loss for _, loss in pairs) / count
    squares = math.fsum((loss - mean) ** 2 for loss, _ in pairs)
    next_squares = math.fsum((loss - next_mean) ** 2 for _, loss in pairs)
    products = math.fsum((loss - mean) * (other - next_mean) for loss, other in pairs)
    if squares == 0:
        return Line(mean, next_mean, 1.0, next_squares / (count - 2))
    ratio = min(1.0, math.sqrt(next_squares / squares))
    ridge = _SHRINKAGE * squares / count
    slope = (products + ridge * ratio) / (squares + ridge)
    slope = max(slope, _MIN_SLOPE * ratio, 1e-9)
    rest = math.fsum((other - next_mean - slope * (loss - mean)) ** 2 for loss, other in pairs)
    return Line(mean, next_mean, slope, rest / (count - 2))
