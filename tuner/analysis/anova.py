"""Functional ANOVA of a forest (Hutter et al. 2014): how its variance splits into single parameters and pairs.

Array legend: L leaves, C cells of a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tuner.analysis.forest import Forest
from tuner.analysis.table import Array, Table
from tuner.spec.space import Repeated, same
from tuner.spec.space.conditions import wanted_values

Cells = dict[int, np.ndarray[Any, np.dtype[np.bool_]]]
"""By column, whether each of its cells counts."""


@dataclass(frozen=True)
class Cover:
    """How the leaves of a forest cover the cells of each parameter."""

    shares: list[Array]
    """For each parameter (L, C): the share of a cell that lies in a leaf's box, in the order of the space."""
    values: Array
    """(L,) what each leaf adds to the prediction."""

    @cached_property
    def widths(self) -> Array:
        """(L, P) how much of each parameter a leaf covers."""
        widths: Array = np.maximum(np.stack([share.mean(1) for share in self.shares], axis=1), 1e-12)
        return widths

    @cached_property
    def volumes(self) -> Array:
        """(L,) how much of the space a leaf covers, times its value."""
        volumes: Array = self.values * self.widths.prod(1)
        return volumes

    @property
    def mean(self) -> float:
        """The forest's mean over the space."""
        return float(self.volumes.sum())

    def marginal(self, column: int, where: Cells | None = None) -> Array:
        """(C,) the mean over all other parameters, in each cell of one; of other columns only `where`."""
        marginal: Array = (self._volumes(where) / self.widths[:, column]) @ self.shares[column]
        return marginal

    def surface(self, one: int, other: int, where: Cells | None = None) -> Array:
        """(C, C') the mean over all other parameters, in each cell of two; of other columns only `where`."""
        weights = self._volumes(where) / self.widths[:, one] / self.widths[:, other]
        surface: Array = (self.shares[one] * weights[:, None]).T @ self.shares[other]
        return surface

    def _volumes(self, where: Cells | None) -> Array:
        """(L,) the volumes, within some cells of some columns."""
        volumes = self.volumes
        for column, cells in (where or {}).items():
            volumes = volumes / self.widths[:, column] * self.shares[column][:, cells].mean(1)
        return volumes


def active_cells(table: Table, columns: Sequence[int]) -> Cells:
    """In which cells of other columns the parameters of these columns are active; only columns with conditions."""
    found: Cells = {}
    for column in columns:
        for other, is_wanted in _conditions(table, table.names[column]):
            place = table.names.index(other) if other in table.names else -1
            if place < 0 or place in columns:
                continue
            wanted = np.array([is_wanted(value) for value in table.values(place)])
            both = wanted & found.get(place, wanted)
            if both.any():
                found[place] = both
    return found


def _conditions(table: Table, name: str) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    """The parameters on whose values it depends whether a label is active, and what they must be."""
    of_list, _, index = name.partition("[")
    parameter = table.space[of_list]
    for other, wanted in (parameter.when or {}).items():
        values = wanted_values(table.space[other], wanted)
        yield other, lambda value, values=values: any(same(value, one) for one in values)  # type: ignore[misc]
        yield from _conditions(table, other)
    if isinstance(parameter, Repeated) and isinstance(parameter.repeat, str):
        least = int(index.rstrip("]"))
        yield parameter.repeat, lambda value: bool(value > least)
        yield from _conditions(table, parameter.repeat)


def cover(table: Table, forest: Forest) -> Cover:
    """The forest's leaves on the table's cells."""
    shares = []
    for column, cells in enumerate(table.cells):
        low, high = forest.low[:, column, None], forest.high[:, column, None]
        if table.is_discrete[column]:
            middles = (np.arange(cells) + 0.5) / cells
            share = ((low < middles) & (middles <= high)).astype(float)
        else:
            edges = np.arange(cells) / cells
            share = np.clip(np.minimum(high, edges + 1 / cells) - np.maximum(low, edges), 0.0, None) * cells
        orders = forest.order[column]
        shares.append(share if orders is None else np.take_along_axis(share, orders[forest.tree], axis=1))
    return Cover(shares, forest.values)


@dataclass(frozen=True)
class Variances:
    """The variance of a forest over the space: of each parameter alone, and of interactions of two."""

    own: Array
    """(P,)"""
    pairs: dict[tuple[int, int], float]
    """By the columns of both, ascending."""


def variances(covered: Cover, columns: Sequence[int]) -> Variances:
    """The variances of all parameters, and of the pairs among `columns`."""
    mean = covered.mean
    mains = [covered.marginal(column) - mean for column in range(len(covered.shares))]
    own = np.array([float((main**2).mean()) for main in mains])
    pairs = {}
    for place, one in enumerate(columns):
        for other in columns[place + 1 :]:
            rest = covered.surface(one, other) - mean - mains[one][:, None] - mains[other]
            pairs[one, other] = float((rest**2).mean())
    return Variances(own, pairs)
