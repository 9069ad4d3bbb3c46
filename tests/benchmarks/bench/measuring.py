"""Sides measured in turn, and the arithmetic of a table: medians, ratios, goals. Pure but for `in_turn`."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Figures = dict[str, float]
"""What one side gave in one round."""
Rounds = Sequence[Mapping[str, Figures]]
"""Each round's figures by side."""

_HOLDS = {"<=": operator.le, ">=": operator.ge}
_WORDS = {"<=": "at most", ">=": "at least"}


class NotMeasurable(Exception):
    """A line cannot be measured here; the message says why, and what to do."""


@dataclass(frozen=True)
class Goal:
    """A number and the side of it on which the value must lie."""

    relation: str
    number: float

    def is_met(self, value: float) -> bool:
        return bool(_HOLDS[self.relation](value, self.number))

    def text(self, unit: str) -> str:
        return f"{_WORDS[self.relation]} {value_text(self.number, unit)}"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    `value` is None where nothing was measured; `note` then says why.
    """

    line: str
    what: str
    value: float | None
    unit: str = ""
    goal: Goal | None = None
    note: str = ""
    spread: tuple[float, float] | None = None
    """The smallest and the largest value of the rounds."""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        return "" if self.goal is None else "met" if self.goal.is_met(self.value) else "missed"


@dataclass(frozen=True)
class Options:
    """How everything is measured: `rounds` of each side, tiny sizes if `quick`."""

    rounds: int = 3
    quick: bool = False
    against: str | None = None
    """The folder of another checkout of this project, where there is one to compare with."""
    peers: str | None = None
    """The Python of the peers' environment."""

    def size(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole


def in_turn(
    sides: Mapping[str, Callable[[], Figures]], rounds: int, say: Callable[[str], None]
) -> list[dict[str, Figures]]:
    """Measures all sides in each round; every second round in the opposite order, so that no side is always first."""
    measured = []
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        figures = {}
        for side in order:
            figures[side] = sides[side]()
            told = "  ".join(f"{name} {value:,.4g}" for name, value in figures[side].items())
            say(f"  round {number + 1} of {rounds}  {side:14} {told}")
        measured.append({side: figures[side] for side in sides})
    return measured


def values(rounds: Rounds, side: str, figure: str) -> list[float]:
    return [figures[side][figure] for figures in rounds]


def ratios(rounds: Rounds, figure: str, side: str, other: str) -> list[float]:
    """Round by round `side / other`, so that what slows a whole round down cancels out."""
    return [figures[side][figure] / figures[other][figure] for figures in rounds]


def row(
    line: str, what: str, measured: Sequence[float], unit: str = "", goal: Goal | None = None, note: str = ""
) -> Row:
    """The median of the rounds, with their spread where there are several."""
    spread = (min(measured), max(measured)) if len(measured) > 1 else None
    return Row(line, what, statistics.median(measured), unit, goal, note, spread)


def value_text(value: float, unit: str) -> str:
    """A number with its unit: 0.75, 12.3 times, 21.5 s, 97.1%."""
    if unit == "%":
        return f"{100 * value:.3g}%"
    if unit in ("MiB", "/s") and abs(value) >= 100:
        return f"{value:,.0f} {unit}"
    return f"{value:.3g} {unit}".rstrip()
