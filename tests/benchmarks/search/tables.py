"""Tables of really trained networks: a configuration's learning curve is looked up, not trained.

A configuration that is not in a table gets the curve of its nearest neighbour there, in the unit cube of the space,
with a distance of 1 between different choices and the learning rate counted threefold, as nothing else matters as much.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tests.benchmarks.search.families import FAMILIES
from tuner.spec.space import Choice, Params, Space

Array = np.ndarray[Any, Any]
CURVES = Path(__file__).with_name("curves")
_RATE_WEIGHT = 3.0


@dataclass(frozen=True)
class Table:
    """Learning curves over a space.

    Attributes:
        losses: (configurations, epochs), less is better, NaN from a divergence on.
        noise: standard deviation of what is added to each value told, in units of regret (median - best).
    """

    name: str
    space: Space
    losses: Array
    points: Array
    categorical: Array
    weights: Array
    noise: float = 0.0

    @property
    def epochs(self) -> int:
        return int(self.losses.shape[1])

    @property
    def best(self) -> float:
        """The best loss of any configuration at any epoch."""
        return float(np.nanmin(self.losses))

    @property
    def median(self) -> float:
        """The best loss over its epochs of the median configuration."""
        with np.errstate(all="ignore"):
            return float(np.median(np.nan_to_num(np.fmin.reduce(self.losses, axis=1), nan=np.inf)))

    def row(self, params: Params) -> int:
        """The table's configuration nearest to this one."""
        point = coordinates(self.space, params)
        gaps = np.abs(self.points - point)
        gaps[:, self.categorical] = gaps[:, self.categorical] > 1e-9
        return int(np.argmin((np.nan_to_num(gaps, nan=0.0) ** 2) @ self.weights))

    def curve(self, params: Params) -> Array:
        """Losses after each epoch."""
        return np.asarray(self.losses[self.row(params)])

    def regret(self, loss: float) -> float:
        """0 for the best known loss, 1 for the median configuration's."""
        return (loss - self.best) / (self.median - self.best)

    def with_noise(self, noise: float) -> Table:
        """The same, but each value told differs by a normal error of so many times (median - best)."""
        return replace(self, name=f"{self.name}+noise", noise=noise)

    def with_divergence(self, share: float) -> Table:
        """The same, but the configurations of the highest learning rates, `share` of all, are NaN from the start."""
        rates = self.points[:, self.space.searched.index("learning_rate")]
        losses = self.losses.copy()
        losses[rates > np.quantile(rates, 1 - share)] = np.nan
        return replace(self, name=f"{self.name}+nan", losses=losses)


def coordinates(space: Space, params: Params) -> Array:
    """Where a configuration lies in the unit cube; NaN for inactive parameters."""
    return np.array([space[n].to_unit(params[n]) if n in params else np.nan for n in space.searched])


def make_table(name: str, space: Space, found: list[Params], losses: Array) -> Table:
    points = np.array([coordinates(space, params) for params in found])
    categorical = np.array([isinstance(space[name], Choice) for name in space.searched])
    weights = np.array([_RATE_WEIGHT**2 if name == "learning_rate" else 1.0 for name in space.searched])
    return Table(name, space, losses, points, categorical, weights)


@cache
def family(name: str, judged_by: Literal["accuracy", "loss", ""] = "") -> Table:
    """A family's table, judged by its accuracy where it has one (as the error 1 - accuracy), else by its loss."""
    with np.load(CURVES / f"{name}.npz") as file:
        found = json.loads(str(file["configurations"]))
        is_loss = judged_by == "loss" or "val_accuracy" not in file
        losses = np.asarray(file["val_loss"] if is_loss else 1 - file["val_accuracy"], float)
    return make_table(f"{name}:loss" if judged_by == "loss" else name, FAMILIES[name][1], found, losses)
