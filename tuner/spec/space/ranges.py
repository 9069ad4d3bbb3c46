"""Ranges of numbers with inclusive bounds, on a linear or logarithmic scale, with or without a grid.

A grid has a `step`, counted from the low bound, or `num` values that are evenly spaced on the scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from tuner.base.words import Value, number_text
from tuner.spec.space.base import Searched, broken
from tuner.spec.space.spread import Spread

_MOST_STEPS = 1e12
"""Finer steps would be lost to rounding errors."""
MAX_NUM = 10_000
"""The most values of a range with `num`; for more, leave `num` out."""


class _Range(Searched):
    scale: Literal["linear", "log"] = "linear"
    """Whether values or their logarithms are evenly distributed."""
    num: int | None = Field(None, ge=2, le=MAX_NUM)
    """The number of values: both bounds, and the rest evenly spaced on the scale. Cannot be combined with step."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Any:
        low, high, step = self.low, self.high, self.step  # type: ignore[attr-defined]
        if not low < high:
            raise broken("low", "must be below high", f"low {number_text(low)}, high {number_text(high)}")
        if not math.isfinite(high - low):
            raise broken(
                "high", "must be less than 1.8e308 above low", f"low {number_text(low)}, high {number_text(high)}"
            )
        if self.scale == "log" and low <= 0:
            raise broken("low", "must be above 0 on a log scale", number_text(low))
        if self.scale == "log" and not math.log(low) < math.log(high):
            raise broken(
                "low", "must be further below high on a log scale", f"low {number_text(low)}, high {number_text(high)}"
            )
        if step is not None and step <= 0:
            raise broken("step", "must be above 0", number_text(step))
        if step is not None and isinstance(step, float) and (high - low) / step > _MOST_STEPS:
            raise broken("step", f"must divide high - low into at most {_MOST_STEPS:g} steps", number_text(step))
        if step is not None and high - low >= step and not _divides(step, high - low):
            nearest = low + (high - low) // step * step
            raise broken(
                "step",
                f"must divide high - low ({number_text(_tidy(high - low))};"
                f" a high of {number_text(_tidy(nearest))} would do)",
                number_text(step),
            )
        if self.num is not None and step is not None and not (step == 1 and isinstance(step, int)):
            raise broken("num", "must not stand beside a step", f"num {self.num}, step {number_text(step)}")
        if self._spread is not None and self._spread.num_different < len(self._spread.values):
            whole = (
                f"whole numbers (with a high of {high}.0 they are real ones)" if isinstance(high, int) else "numbers"
            )
            received = f"{self.num}, which gives {self._spread.num_different} only"
            raise broken("num", f"must give as many different {whole}", received)
        return self

    @cached_property
    def _spread(self) -> Spread | None:
        """The values of a range with `num`, else None."""
        if self.num is None:
            return None
        return Spread(self.low, self.high, self.num, self.scale == "log")  # type: ignore[attr-defined]

    def covers(self, value: Value) -> bool:
        """Whether a number lies within the bounds, whether or not it is on the grid."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return bool(self.low <= value <= self.high)  # type: ignore[attr-defined]


class Float(_Range):
    """A real number between inclusive bounds, on a grid if there is a step or num."""

    low: float
    high: float
    step: float | None = None

    @cached_property
    def size(self) -> int | None:
        """The number of values; None for a continuous range."""
        if self.step is None:
            return self.num
        length = self.high - self.low
        return round(length / self.step) + 1 if length >= self.step or _divides(self.step, length) else 1

    def from_unit(self, unit: float) -> float:
        """The value at `unit` in [0, 1]."""
        if self._spread is not None:
            return float(self._spread.from_unit(unit))
        if self.size is not None and self.scale == "linear":
            return self._at(min(int(unit * self.size), self.size - 1))
        if self.scale == "linear":
            value = self.low + unit * (self.high - self.low)
        else:
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        if self.step is not None and self.size is not None:
            return self._at(min(max(round((value - self.low) / self.step), 0), self.size - 1))
        return min(max(value, self.low), self.high)

    def to_unit(self, value: Value) -> float:
        """The position of a value in [0, 1]; the inverse of `from_unit`."""
        number = float(value)  # type: ignore[arg-type]
        if self._spread is not None:
            return self._spread.to_unit(number)
        if self.size is not None and self.step is not None and self.scale == "linear":
            return (round((number - self.low) / self.step) + 0.5) / self.size
        if self.scale == "linear":
            return (number - self.low) / (self.high - self.low)
        return (math.log(number) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))

    def contains(self, value: Value) -> bool:
        if self._spread is not None:
            return self.covers(value) and self._spread.contains(value)
        return self.covers(value) and (self.step is None or _divides(self.step, value - self.low))  # type: ignore[operator]

    def values(self) -> Iterator[float]:
        """Iterates over every value of a parameter with a step or num; there may be many."""
        if self._spread is not None:
            return iter(self._spread.values)
        return (self._at(index) for index in range(self.size or 0))

    def _at(self, index: int) -> float:
        step = self.step or 0.0
        exact = self.low + index * step
        tidy = _tidy(exact)
        return min(max(tidy if abs(tidy - exact) < 1e-6 * step else exact, self.low), self.high)


class Int(_Range):
    """A whole number between inclusive bounds."""

    low: int = Field(ge=-(2**63), lt=2**63)
    high: int = Field(ge=-(2**63), lt=2**63)
    step: int = Field(1, lt=2**63)

    @cached_property
    def size(self) -> int:
        """The number of values."""
        return self.num or (self.high - self.low) // self.step + 1

    def from_unit(self, unit: float) -> int:
        """The value at `unit` in [0, 1]."""
        if self._spread is not None:
            return int(self._spread.from_unit(unit))
        count = self.size
        if self.scale == "linear":
            index = int(unit * count)
        else:
            start, end = self._log_edges()
            index = round((math.exp(start + unit * (end - start)) - self.low) / self.step)
        return self.low + self.step * min(max(index, 0), count - 1)

    def to_unit(self, value: Value) -> float:
        """The position of a value in [0, 1]; the inverse of `from_unit`."""
        number = int(value)  # type: ignore[arg-type]
        if self._spread is not None:
            return self._spread.to_unit(number)
        if self.scale == "linear":
            return ((number - self.low) // self.step + 0.5) / self.size
        start, end = self._log_edges()
        return (math.log(number) - start) / (end - start)

    def _log_edges(self) -> tuple[float, float]:
        """The logarithms of half a step beyond the bounds, so that both ends get their full share."""
        return math.log(max(self.low - self.step / 2, self.low / 2)), math.log(self.high + self.step / 2)

    def contains(self, value: Value) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if self._spread is not None:
            return is_whole and value in self._spread.values
        return is_whole and self.low <= value <= self.high and (value - self.low) % self.step == 0  # type: ignore[operator]

    def values(self) -> Iterator[int]:
        if self._spread is not None:
            return iter(self._spread.values)
        return (self.low + index * self.step for index in range(self.size))


def _divides(step: float, length: float) -> bool:
    if isinstance(step, int) and isinstance(length, int):
        return length % step == 0
    ratio = length / step
    return abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))


def _tidy(number: float) -> float:
    """Removes rounding noise of sums: 0.1 + 0.2 is 0.3."""
    return number if isinstance(number, int) else float(f"{number:.12g}")
