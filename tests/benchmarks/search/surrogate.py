"""From a table to a continuous landscape: a Gaussian process over its learning curves.

A table of hundreds of rows is soon searched whole, which flatters whoever draws most. Between its rows, curves are
those of a Gaussian process (Matern 5/2, a length scale a parameter, fitted noise) on the logarithms of the losses,
their epochs reduced to principal components; on top comes what training with another seed does: the residual curve of
one of the nearest rows, the same each time for the same configuration. `python -m tests.benchmarks.search.surrogate
NAME…` fits and stores it beside the curves; NAME:loss judges a family with classes by its loss.
"""

from __future__ import annotations

import sys
import zlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from tests.benchmarks.search.tables import CURVES, Array, Table, coordinates, family
from tuner.spec.space import Choice, Params, Space, key

_COMPONENTS = 5
_ROWS_TO_FIT = 300
"""That the length scales are fitted to; all rows count afterwards."""
_NEAREST = 10
_DRAWS = 20_000
"""Random configurations that `best` and `median` are taken from."""


def features(space: Space, point: Array) -> Array:
    """(…, parameters) coordinates as (…, features): choices one-hot, inactive parameters in the middle."""
    columns = []
    for index, name in enumerate(space.searched):
        column, parameter = point[..., index], space[name]
        if isinstance(parameter, Choice):
            place = np.floor(np.nan_to_num(column, nan=-1) * parameter.size)
            columns += [(place == choice).astype(float) for choice in range(parameter.size)]
        else:
            columns.append(np.nan_to_num(column, nan=0.5))
    return np.stack(columns, axis=-1)


def _matern(squared_distance: Array) -> Array:
    """The Matern 5/2 correlation at squared distances in length scales."""
    distance = np.sqrt(5.0 * squared_distance)
    return (1 + distance + distance**2 / 3) * np.exp(-distance)


@dataclass(frozen=True)
class Surrogate(Table):
    """A table whose `losses` are looked up between its rows, too; `row` gives a number into `made`."""

    inputs: Array = None  # type: ignore[assignment]
    scales: Array = None  # type: ignore[assignment]
    alphas: Array = None  # type: ignore[assignment]
    mean: Array = None  # type: ignore[assignment]
    basis: Array = None  # type: ignore[assignment]
    residuals: Array = None  # type: ignore[assignment]
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def best(self) -> float:
        return self.bounds[0]

    @property
    def median(self) -> float:
        return self.bounds[1]

    def curve(self, params: Params) -> Array:
        """Losses after each epoch."""
        nearest = self.row(params)
        if not np.isfinite(self.losses[nearest]).all():
            return np.asarray(self.losses[nearest])
        x = features(self.space, coordinates(self.space, params))[None]
        squares = (x - self.inputs) ** 2
        scores = (_matern(squares @ (self.scales**-2.0).T) * self.alphas.T).sum(0)
        distance = squares.sum(1)
        close = np.argpartition(distance, _NEAREST)[:_NEAREST]
        pick = close[zlib.crc32(repr(key(params)).encode()) % _NEAREST]
        return np.exp(scores @ self.basis + self.mean + self.residuals[pick])


def fit(name: str, judged_by: Any = "") -> dict[str, Array]:
    """Fits the landscape of a family's table."""
    from scipy.spatial.distance import cdist
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    table = family(name, judged_by)
    valid = np.isfinite(table.losses).all(1)
    logs = np.log(np.maximum(table.losses[valid], 1e-3))
    mean = logs.mean(0)
    _, _, basis = np.linalg.svd(logs - mean, full_matrices=False)
    basis = basis[:_COMPONENTS]
    scores = (logs - mean) @ basis.T
    inputs = features(table.space, table.points[valid])
    scales, alphas = [], []
    for component in range(_COMPONENTS):
        spread = scores[:, component].std()
        kernel = ConstantKernel(1.0, (0.1, 30)) * Matern(np.ones(inputs.shape[1]), (0.1, 30), nu=2.5)
        kernel += WhiteKernel(0.1, (1e-4, 1.0))
        some = np.random.default_rng(component).permutation(len(inputs))[:_ROWS_TO_FIT]
        fitted_kernel = GaussianProcessRegressor(kernel).fit(inputs[some], scores[some, component] / spread).kernel_
        model = GaussianProcessRegressor(fitted_kernel, optimizer=None).fit(inputs, scores[:, component] / spread)
        constant, matern = model.kernel_.k1.k1, model.kernel_.k1.k2
        scales.append(matern.length_scale)
        alphas.append(model.alpha_.ravel() * constant.constant_value * spread)
    fitted = np.stack(
        [_matern(cdist(inputs / s, inputs / s, "sqeuclidean")) @ a for s, a in zip(scales, alphas, strict=True)], 1
    )
    residuals = logs - mean - fitted @ basis
    explained = 1 - residuals[:, -1].var() / logs[:, -1].var()
    print(
        f"{table.name}: {valid.mean():.0%} finite, {explained:.1%} of the last epoch's variance explained", flush=True
    )
    made = {
        "inputs": inputs, "scales": np.array(scales), "alphas": np.array(alphas), "mean": mean, "basis": basis,
        "residuals": residuals,
    }  # fmt: skip
    surrogate = replace_fields(table, made, (0.0, 1.0))
    rng = np.random.default_rng(0)
    curves = [surrogate.curve(table.space.sample(rng)) for _ in range(_DRAWS)]
    lowest = np.array([np.nanmin(curve) if np.isfinite(curve[0]) else np.inf for curve in curves])
    made["bounds"] = np.array([lowest.min(), np.median(lowest)])
    return {name: np.asarray(value, np.float32) for name, value in made.items()}


def replace_fields(table: Table, made: dict[str, Array], bounds: tuple[float, float]) -> Surrogate:
    fields = {name: np.asarray(value, float) for name, value in made.items() if name != "bounds"}
    base = {name: getattr(table, name) for name in Table.__dataclass_fields__}
    return Surrogate(**{**base, **fields}, bounds=bounds)


@cache
def landscape(name: str, judged_by: Any = "") -> Surrogate:
    """The stored landscape of a family."""
    table = family(name, judged_by)
    with np.load(CURVES / f"{name}{judged_by and '-'}{judged_by}.surrogate.npz") as file:
        made = dict(file)
    bounds = (float(made["bounds"][0]), float(made["bounds"][1]))
    return replace_fields(replace(table, name=f"{table.name}~"), made, bounds)


if __name__ == "__main__":
    for given in sys.argv[1:]:
        name, _, judged_by = given.partition(":")
        np.savez_compressed(CURVES / f"{name}{judged_by and '-'}{judged_by}.surrogate.npz", **fit(name, judged_by))
