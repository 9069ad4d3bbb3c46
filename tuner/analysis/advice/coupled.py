"""coupled: the best learning rate grows with the batch size, so that a search over both at once is slow."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from tuner.analysis.advice.axes import is_number
from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing
from tuner.spec.space import Constant

RULE = "coupled"
MIN_TRIALS = 24
_INTERVAL = 0.95
_CHANCE = 0.02
_NUM_RESAMPLES = 400
_MIN_OTHERS = 8
"""At least so many trials have another batch size than the most frequent one."""
_FALL = 8.0
"""How steeply weights fall with the place, by exp(-8) from the best to the worst: a quadratic holds near the best."""
_RIDGE = 1e-6
_LEAST_BEND = 1e-6
_PLAUSIBLE = 2.0
"""No training has a larger exponent; one that comes out so is no coupling that can be set."""
_WIDEST = 2.0
"""A wider interval tells nothing."""


def coupled(standing: Standing) -> list[Finding]:
    """The exponent of the best learning rate in the batch size, where it is certainly not 0."""
    space = standing.spec.space
    names = {standing.spec.records.get(name, name): name for name in ("learning_rate", "batch_size")}
    rate, size = (standing.spec.records.get(name, name) for name in ("learning_rate", "batch_size"))
    if any(name not in space or isinstance(space[name], Constant) for name in names):
        return []
    if getattr(space[size], "coupling", None) is not None:
        return []
    fitted = exponent(standing, rate, size)
    if fitted is None:
        return []
    value, low, high, num_trials = fitted
    grows = "grows" if value > 0 else "falls"
    text = (
        f"The best {rate} {grows} with {size} to the power of {value:.2f}"
        f" ({_INTERVAL:.0%} interval {low:.2f} to {high:.2f}, {num_trials} trials)."
    )
    if not 0.25 <= value <= 1.5 or (rate, size) != ("learning_rate", "batch_size") or _sets_own_rate(standing):
        return [Finding(RULE, f"{text} Compare batch sizes at their own best rates.")] if value > 0 else []
    how = "linear" if abs(value - 1) < abs(value - 0.5) else "sqrt"
    base = _base(standing)
    overrides = (
        override(f"space.{size}.scale_learning_rate", how),
        override(f"space.{size}.base", base),
    )
    return [
        Finding(
            RULE,
            text,
            "Couple them",
            overrides,
            needs_new=True,
            without_command="Compare batch sizes at their own best rates.",
        )
    ]


def exponent(standing: Standing, rate: str, size: str) -> tuple[float, float, float, int] | None:
    """(exponent, low, high, trials) of the best rate in the batch size; None if it may be 0, or nothing can be told.

    The order of merit is fitted by a quadratic in the logarithms of both, and the best rate of each batch size is where
    it is lowest. The interval is from trials drawn anew (bootstrap).
    """
    rows = [
        (math.log(trial.params[rate]), math.log(trial.params[size]), standing.places[trial.number])  # type: ignore[arg-type]
        for trial in standing.ranked
        if _is_positive(trial.params.get(rate)) and _is_positive(trial.params.get(size))
    ]
    if len(rows) < MIN_TRIALS:
        return None
    table = np.array(rows)
    num_others = len(rows) - np.unique(table[:, 1], return_counts=True)[1].max()
    if table[:, 0].std() == 0 or num_others < _MIN_OTHERS:
        return None
    x = (table[:, 0] - table[:, 0].mean()) / table[:, 0].std()
    z = (table[:, 1] - table[:, 1].mean()) / table[:, 1].std()
    order = table[:, 2].argsort(kind="stable").argsort(kind="stable")
    quantiles = (order + 0.5) / len(rows)
    y = np.array([NormalDist().inv_cdf(float(quantile)) for quantile in quantiles])
    weights = np.exp(-_FALL * quantiles)
    design = np.stack([np.ones_like(x), x, z, x * x, x * z, z * z], axis=1)
    scale = float(table[:, 0].std() / table[:, 1].std())
    rng = np.random.default_rng(0)
    times = [
        np.ones(len(y)),
        *(np.bincount(drawn, minlength=len(y)) for drawn in rng.integers(0, len(y), (_NUM_RESAMPLES, len(y)))),
    ]
    whole, *drawn = scale * _slopes(design, y, weights * np.array(times))
    slopes = [slope for slope in drawn if math.isfinite(slope)]
    if not math.isfinite(whole) or len(slopes) < (1 - _CHANCE / 2) * _NUM_RESAMPLES:  # the best rate may lie outside
        return None
    ends = [_CHANCE / 2, (1 - _INTERVAL) / 2, (1 + _INTERVAL) / 2, 1 - _CHANCE / 2]
    sure_low, low, high, sure_high = map(float, np.quantile(slopes, ends))
    if sure_low <= 0 <= sure_high or abs(whole) >= _PLAUSIBLE or high - low > _WIDEST:
        return None
    return float(whole), low, high, len(rows)


def _slopes(design: Any, y: Any, weights: Any) -> Any:
    """By how much the lowest point moves along x when z grows by 1, by sets of weights; NaN where there is none.

    Args:
        design: (trials, 6): 1, x, z, x**2, x * z, z**2.
        y: (trials,).
        weights: (sets, trials).
    """
    squares = np.einsum("sn,ni,nj->sij", weights, design, design, optimize=True)
    products = np.einsum("sn,ni,n->si", weights, design, y, optimize=True)
    found = np.linalg.solve(squares + _RIDGE * np.eye(design.shape[1]), products[..., None])[..., 0]
    bends = np.where(found[:, 3] > _LEAST_BEND, found[:, 3], np.nan)
    return -found[:, 4] / (2 * bends)


def _base(standing: Standing) -> int:
    """The batch size of the best trial."""
    return int(standing.ranked[0].params["batch_size"])  # type: ignore[arg-type]


def _sets_own_rate(standing: Standing) -> bool:
    """Whether a coupling would have no effect: for scripts, and models that compile themselves."""
    return standing.sweep.is_script or any(trial.used for trial in standing.sweep.trials.values())


def _is_positive(value: object) -> bool:
    return is_number(value) and value > 0  # type: ignore[operator]
