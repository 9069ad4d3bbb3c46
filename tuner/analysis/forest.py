"""A forest of scikit-learn's trees over the unit cube, as the boxes of its leaves.

What a tree says is constant on boxes, so that averages over parameters are sums over leaves, without sampling.

Array legend: T trials, P parameters, L leaves of all trees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from tuner.analysis.table import Array, Table

ROWS_MAX = 400
"""How many trials a tree is fitted to, drawn with replacement from all: its cost stays bounded."""
Kind = Literal["random", "best"]
"""How the thresholds of a tree are chosen."""
KINDS: tuple[Kind, ...] = get_args(Kind)

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Forest:
    """The leaves of all trees of a forest."""

    low: Array
    high: Array
    """(L, P) each leaf's box, in the tree's own order of choices."""
    values: Array
    """(L,) what the leaf adds to the forest's prediction: the loss there divided by the number of trees."""
    tree: Ints
    """(L,) the tree of each leaf."""
    order: list[Ints | None]
    """(P,) of an unordered parameter, (trees, cells): the place at which a tree has each cell."""
    predicted: Array
    """(T,) the mean prediction of the trees that have not seen a trial; NaN where all have."""


def grow(
    table: Table,
    losses: Array,
    rng: np.random.Generator,
    num_trees: int,
    rows: Ints | None = None,
    kind: Kind = "random",
) -> Forest:
    """Fits a forest to trials, by default to all.

    Trees split at the best threshold (a random forest: Breiman 2001), or at the best of random ones (extremely
    randomized trees: Geurts et al. 2006), which follows products of parameters better, and jumps less well.

    Each tree sees its own bootstrap of the trials. An inactive value has no effect, so that any would do: each tree has
    another one there. A tree has its own order of unordered choices, so that each set of them can be split off.
    """
    from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

    num, num_columns = table.units.shape
    source = np.arange(num) if rows is None else rows
    order: list[Ints | None] = [
        np.array([rng.permutation(cells) for _ in range(num_trees)]) if unordered else None
        for cells, unordered in zip(table.cells, table.is_unordered, strict=True)
    ]
    make = ExtraTreeRegressor if kind == "random" else DecisionTreeRegressor
    inactive, tried = np.isnan(table.units), math.ceil(2 * num_columns / 3)
    parts, total, seen = [], np.zeros(num), np.zeros(num)
    for number in range(num_trees):
        units = np.where(inactive, rng.random(table.units.shape), table.units)
        for column, orders in enumerate(order):
            if orders is not None:
                cells = orders.shape[1]
                place = np.minimum((units[:, column] * cells).astype(int), cells - 1)
                units[:, column] = (orders[number][place] + 0.5) / cells
        drawn = source[rng.integers(len(source), size=min(len(source), ROWS_MAX))]
        data = units.astype(np.float32)
        fitted = make(max_features=tried, random_state=int(rng.integers(2**31)))
        fitted.fit(data[drawn], losses[drawn], check_input=False)
        unseen = np.setdiff1d(source, drawn)
        if rows is None and len(unseen):
            total[unseen] += fitted.tree_.predict(data[unseen])[:, 0]
            seen[unseen] += 1
        parts.append(_leaves(fitted.tree_, num_columns))
    low, high, values = (np.concatenate([part[i] for part in parts]) for i in range(3))
    tree = np.repeat(np.arange(num_trees), [len(part[2]) for part in parts])
    with np.errstate(invalid="ignore"):
        predicted = total / seen
    return Forest(low, high, values / num_trees, tree, order, predicted)


def _leaves(tree: Any, num_columns: int) -> tuple[Array, Array, Array]:
    """The lower and upper corners of a tree's leaves, and their values. A child's number is above its parent's."""
    left, right, feature, threshold = tree.children_left, tree.children_right, tree.feature, tree.threshold
    low, high = np.zeros((tree.node_count, num_columns)), np.ones((tree.node_count, num_columns))
    for node in np.flatnonzero(left >= 0).tolist():
        one, other, column, at = left[node], right[node], feature[node], threshold[node]
        low[one] = low[other] = low[node]
        high[one] = high[other] = high[node]
        high[one, column] = low[other, column] = at
    is_leaf = left < 0
    return low[is_leaf], high[is_leaf], tree.value[is_leaf, 0, 0]
