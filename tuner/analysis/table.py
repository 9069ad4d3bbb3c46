"""A sweep's trials as numbers: where each lies in the unit cube of the space, and its expected loss."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tuner.analysis.ends import expected
from tuner.spec.space import Choice, Float, Int, Space
from tuner.sweep import Sweep

FEW_VALUES = 24
"""A parameter with at most so many values, evenly spread over [0, 1], has a cell for each; others have CELLS cells."""
CELLS = 24
_FENCE = 3.0
"""Losses that lie further than so many interquartile ranges beyond the worse quartile count as if they lay there ("far
out", Tukey 1977): otherwise one exploded loss would be all the variance."""

Array = np.ndarray[Any, np.dtype[np.float64]]

_LARGEST = 1e307
"""Losses beyond count as if they were this: differences of larger ones are infinite."""


@dataclass(frozen=True)
class Table:
    """Array legend: T trials, P parameters that have more than one value."""

    space: Space
    names: list[str]
    """(P,) labels."""
    units: Array
    """(T, P) positions in [0, 1]; NaN where a parameter is inactive."""
    losses: Array
    """(T,) expected losses; those of diverged and failed trials are the worst of the others."""
    sign: float
    """The objective is the loss times this."""

    @cached_property
    def dimensions(self) -> list[Float | Int | Choice]:
        """(P,) the parameters."""
        return [self.space.dimensions[name] for name in self.names]

    @cached_property
    def cells(self) -> list[int]:
        """(P,) into how many cells of equal probability each parameter is divided."""
        return [_num_values(dimension) or CELLS for dimension in self.dimensions]

    @cached_property
    def is_discrete(self) -> list[bool]:
        """(P,) whether each cell is one value."""
        return [_num_values(dimension) is not None for dimension in self.dimensions]

    @cached_property
    def is_unordered(self) -> list[bool]:
        """(P,) whether the order of the cells means nothing: choices other than ascending numbers."""
        return [isinstance(dimension, Choice) and not _is_ascending(dimension) for dimension in self.dimensions]

    def values(self, column: int) -> list[Any]:
        """The parameter's value in the middle of each cell."""
        number, dimension = self.cells[column], self.dimensions[column]
        return [dimension.from_unit((cell + 0.5) / number) for cell in range(number)]

    @property
    def digest(self) -> str:
        """Names everything that is computed from this table."""
        found = hashlib.sha256(repr((self.names, self.space.model_dump(mode="json"), self.sign)).encode())
        found.update(self.units.tobytes() + self.losses.tobytes())
        return found.hexdigest()


def table(sweep: Sweep) -> Table:
    """The trials that have a result and lie within the space as it is now, by number."""
    space = Space.model_validate(sweep.spec.get("space") or {})
    names = [name for name, dimension in space.dimensions.items() if dimension.size != 1]
    ends = expected(sweep)
    own = {trial.number: {k: v for k, v in trial.params.items() if k in space} for trial in sweep.trials.values()}
    numbers = [n for n in sorted(own) if (n in ends.losses or n in ends.bad) and space.covers(own[n])]
    units = np.full((len(numbers), len(names)), np.nan)
    for row, number in enumerate(numbers):
        values = space.flat(own[number])
        for column, name in enumerate(names):
            if name in values:
                units[row, column] = space.dimensions[name].to_unit(values[name])
    losses = np.array([ends.losses.get(number, np.nan) for number in numbers])
    return Table(space, names, units, _tamed(losses), -1.0 if sweep.mode == "max" else 1.0)


def _tamed(losses: Array) -> Array:
    """Losses without far outliers; NaN becomes the worst of the others."""
    losses = np.clip(losses, -_LARGEST, _LARGEST)
    known = losses[~np.isnan(losses)]
    if not len(known):
        return np.zeros(len(losses))
    with np.errstate(over="ignore"):
        low, high = np.quantile(known, [0.25, 0.75])
        fence = high + _FENCE * (high - low)
    if high > low and np.isfinite(fence):
        known = np.minimum(known, fence)
    worst = known.max()
    tamed: Array = np.where(np.isnan(losses), worst, np.minimum(losses, worst))
    return tamed


def _num_values(dimension: Float | Int | Choice) -> int | None:
    """How many values a parameter has, if they are few and evenly spread over [0, 1]; all choices count."""
    if isinstance(dimension, Choice):
        return dimension.size
    is_even = dimension.num is not None or dimension.scale == "linear"
    return dimension.size if is_even and dimension.size is not None and dimension.size <= FEW_VALUES else None


def _is_ascending(choice: Choice) -> bool:
    values = choice.choices
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return False
    return values in (sorted(values), sorted(values, reverse=True))
