"""The configurations of earlier trials, each known as exactly as it was recorded."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from tuner.spec.space import Params, Space, key

_DIGITS_MIN = 4
"""A number of fewer digits was not rounded to so few: 0.1 stands for 0.1000, and 0.1002 is another value."""


class Tried:
    """A set of configurations. Numbers of a continuous range are the same if they agree in all recorded digits.

    Constants do not count: they are the same in every configuration of the space.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._known: dict[Any, list[list[tuple[float, float]]]] = defaultdict(list)
        """Values that are compared exactly -> the others' values, each with half the unit of its last digit."""

    def add(self, params: Params) -> None:
        exact, numbers = self._split(params)
        self._known[exact].append([(number, _half_a_unit(number)) for number in numbers])

    def __contains__(self, params: Params) -> bool:
        if not self._known:
            return False
        exact, numbers = self._split(params)
        return any(
            all(abs(number - known) <= half for number, (known, half) in zip(numbers, one, strict=True))
            for one in self._known.get(exact, ())
        )

    def _split(self, params: Params) -> tuple[Any, list[float]]:
        """A key of what is compared exactly, and the numbers of continuous ranges in the order of their names."""
        exact: dict[str, Any] = {}
        numbers: dict[str, Any] = {}
        for label, value in self._space.flat(params).items():
            is_continuous = self._space.dimensions[label].size is None
            (numbers if is_continuous else exact)[label] = value
        return (key(exact), tuple(sorted(numbers))), [float(numbers[label]) for label in sorted(numbers)]


def _half_a_unit(number: float) -> float:
    """Half the unit of a number's last digit."""
    digits = Decimal(repr(number)).normalize()
    num = max(len(digits.as_tuple().digits), _DIGITS_MIN)
    return float(Decimal(1).scaleb(digits.adjusted() - num + 1) / 2)
