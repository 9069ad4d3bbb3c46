"""A searched parameter as the rules see it: where a trial's value lies between its bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.base.words import number_text
from tuner.spec.space import Choice, Float, Int, Repeated, Space
from tuner.spec.space.repeated import label

FEW_VALUES = 10
"""Of a parameter with at most so many values the outermost one counts as its edge, else the outer part of its scale."""
EDGE = 0.1
"""The outermost share of a scale."""
LIST_VALUES_MAX = 4


@dataclass(frozen=True)
class Axis:
    """A parameter with an order: a range or a choice of numbers, or one value of a list of them."""

    name: str
    """As people read it: `units`, or `units[0]` of a list."""
    parameter: str
    """In the space."""
    index: int | None
    """In a list."""
    element: Float | Int | Choice

    @property
    def values(self) -> list[Any]:
        """Every value, ascending, of one with FEW_VALUES at most; else empty."""
        size = self.element.size
        return sorted(self.element.values()) if size is not None and size <= FEW_VALUES else []

    @property
    def is_log(self) -> bool:
        """Whether distances on it are ratios."""
        if isinstance(self.element, Choice):
            low, high = min(self.element.choices), max(self.element.choices)
            return bool(low > 0 and high >= 4 * low)
        return self.element.scale == "log"

    @property
    def low(self) -> Any:
        return min(self.element.choices) if isinstance(self.element, Choice) else self.element.low

    @property
    def high(self) -> Any:
        return max(self.element.choices) if isinstance(self.element, Choice) else self.element.high

    def number(self, params: Mapping[str, Any]) -> float | None:
        """A configuration's value; None where it is inactive, or outside of the range as it is now."""
        value = params.get(self.parameter)
        if self.index is not None:
            value = value[self.index] if isinstance(value, list) and self.index < len(value) else None
        return float(value) if is_number(value) and self.element.covers(value) else None  # type: ignore[arg-type]

    def edge(self, is_high: bool, share: float = EDGE) -> float:
        """Where the outermost value, or the outermost share of its scale, begins."""
        values = self.values
        if values:
            place = self.position(values[-2] if is_high else values[1])
            end = 1.0 if is_high else 0.0
            return self.at((place + end) / 2)
        return self.at(1 - share if is_high else share)

    def position(self, value: float) -> float:
        """A value's place from 0 (low) to 1 (high) on the scale."""
        low, high = float(self.low), float(self.high)
        if self.is_log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value - low) / (high - low)

    def at(self, position: float) -> float:
        """The inverse of `position`."""
        low, high = float(self.low), float(self.high)
        if self.is_log:
            return math.exp(math.log(low) + position * (math.log(high) - math.log(low)))
        return low + position * (high - low)

    def text(self, value: float) -> str:
        """A value of it for people."""
        return number_text(rounded(value, 3)) if value != int(value) or abs(value) > 1e15 else str(int(value))


def axes(space: Space) -> list[Axis]:
    """What is searched and has an order; of a list the first LIST_VALUES_MAX values, each by itself."""
    found = []
    for name, parameter in space.items():
        if isinstance(parameter, Repeated):
            places = range(min(space.count_max(name), LIST_VALUES_MAX)) if _has_order(parameter.element) else ()
            found += [Axis(label(name, index), name, index, parameter.element) for index in places]
        elif _has_order(parameter):
            found.append(Axis(name, name, None, parameter))  # type: ignore[arg-type]
    return found


def _has_order(element: object) -> bool:
    if isinstance(element, Choice):
        return element.size > 1 and all(map(is_number, element.choices))
    return isinstance(element, Float | Int)


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and not true or false."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def rounded(value: float, digits: int) -> float:
    """To so many significant digits."""
    return float(f"{value:.{digits}g}")
