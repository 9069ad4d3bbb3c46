"""The values of a range with `num`: a given number of values between two bounds."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

from tuner.base.words import Value

_SAME = 1e-6
"""Fraction of the distance to the neighbour: a number this close to a value is that value with fewer digits."""


class Spread:
    """`num` numbers from `low` to `high` inclusive, evenly spaced on the scale; whole numbers between whole bounds.

    Some of them are equal if there are fewer whole numbers than `num`.
    """

    def __init__(self, low: float, high: float, num: int, is_log: bool) -> None:
        between = _between_logs if is_log else _between
        inner = (between(low, high, index, num - 1) for index in range(1, num - 1))
        self._is_log = is_log
        self.values: list[Any] = [low, *(min(max(value, low), high) for value in inner), high]

    @property
    def num_different(self) -> int:
        return len(set(self.values))

    def from_unit(self, unit: float) -> Any:
        """The value at `unit` in [0, 1]; each value has an equal share."""
        return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]

    def to_unit(self, value: Value) -> float:
        """The middle of the share of the nearest value."""
        return (self._nearest(value) + 0.5) / len(self.values)

    def contains(self, value: Any) -> bool:
        index = self._nearest(value)
        neighbour = self.values[index + 1 if index + 1 < len(self.values) else index - 1]
        return bool(abs(self.values[index] - value) <= _SAME * abs(neighbour - self.values[index]))

    def _nearest(self, value: Any) -> int:
        """The index of the value that is nearest on the scale."""
        place = min(max(bisect_left(self.values, value), 1), len(self.values) - 1)
        before, after = self.values[place - 1], self.values[place]
        is_after = after / value <= value / before if self._is_log else after - value <= value - before
        return place if is_after else place - 1


def _between(low: float, high: float, index: int, parts: int) -> float:
    if isinstance(low, int) and isinstance(high, int):
        return low + (2 * index * (high - low) + parts) // (2 * parts)
    return _tidy(low + index * ((high - low) / parts), (high - low) / parts)


def _between_logs(low: float, high: float, index: int, parts: int) -> float:
    ratio = (math.log(high) - math.log(low)) / parts
    value = math.exp(math.log(low) + index * ratio)
    if isinstance(low, int) and isinstance(high, int):
        return round(value)
    return _tidy(value, value * -math.expm1(-ratio))


def _tidy(number: float, distance: float) -> float:
    """Removes rounding noise, unless that would move the number by much of the distance to its neighbours."""
    tidy = float(f"{number:.12g}")
    return tidy if abs(tidy - number) < _SAME * distance else number
