"""Which parameters matter: functional ANOVA (Hutter et al. 2014) of a forest over a sweep's trials. See README.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pydantic import ValidationError

from tuner.analysis.anova import Cover, Variances, active_cells, cover, variances
from tuner.analysis.forest import KINDS, Forest, Kind, grow
from tuner.analysis.importance_values import MIN_TRIALS, Importance, Marginal, Share, Surface, Unknown, too_few
from tuner.analysis.scales import Scale, plain, ranked
from tuner.analysis.table import Array, Table, table
from tuner.sweep import Sweep

TREES = 64
RESAMPLES = 24
"""How often the trials are resampled for the intervals."""
RESAMPLED_TREES = 24
_SEED = 20140621
"""One for all sweeps: the same trials give the same numbers."""
_NOISE, _LEAST = 2.7, 0.3
"""A forest says something if its predictions of unseen trials correlate with their losses by more than 2.7 / sqrt(T),
and by more than 0.3. Of sweeps of pure noise about 1 in 100 does (tests/benchmarks/importance.py measures it)."""
_MUCH_BETTER = 0.15
"""Ranks are explained much better than losses if the correlation is higher by so much."""
_UNEXPLAINED = "cannot tell yet: what was searched does not explain the differences between trials"
PAIRS_OF = 16
"""Interactions are looked for among so many parameters, those with the largest effects of their own."""
SURFACES_OF = 4
"""Surfaces are given of the pairs among so many parameters, those that matter most."""


def importance(sweep: Sweep) -> Importance | None:
    """Which parameters matter; None if the trials cannot tell (`weighed` says why)."""
    found = weighed(sweep)
    return found if isinstance(found, Importance) else None


def weighed(sweep: Sweep) -> Importance | Unknown:
    """Which parameters matter, or why the trials cannot tell. A function of the trials: it repeats exactly."""
    trials = trials_of(sweep)
    return trials if isinstance(trials, Unknown) else weigh(trials)


def trials_of(sweep: Sweep) -> Table | Unknown:
    """A sweep's trials as numbers, or why there are none."""
    try:
        return table(sweep)
    except ValidationError:
        return Unknown("cannot tell: this version cannot read the sweep's space", len(sweep.trials))


def weigh(trials: Table) -> Importance | Unknown:
    """Like `weighed`, for trials as numbers."""
    return _weigh(_Hashed(trials.digest, trials))


@dataclass(frozen=True, eq=False)
class _Hashed:
    digest: str
    table: Table

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@lru_cache(maxsize=8)
def _weigh(of: _Hashed) -> Importance | Unknown:
    trials, num = of.table, len(of.table.losses)
    if not trials.names:
        return Unknown("nothing is searched: every parameter has one value", num)
    if num < MIN_TRIALS:
        return Unknown(too_few(num), num)
    if not float(np.ptp(trials.losses)) > 1e-12 * float(np.abs(trials.losses).max()):
        return Unknown("cannot tell: all trials came to the same value", num)
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    with threadpool_limits(1):  # matrices are small: several threads would take four times as long
        return _told(trials) or Unknown(_UNEXPLAINED, num)


def _told(trials: Table) -> Importance | None:
    """What a forest says; None if it does not explain the losses."""
    num, rng = len(trials.losses), np.random.default_rng(_SEED)
    fit = _explained(trials, rng)
    if fit.correlation < max(_LEAST, _NOISE / math.sqrt(num)):
        return None
    first = cover(trials, fit.forest)
    again = []
    for _ in range(RESAMPLES):
        rows = rng.integers(num, size=num)
        again.append(cover(trials, grow(trials, fit.scale.values, rng, RESAMPLED_TREES, rows, fit.kind)))
    return _Finding(trials, fit.scale, first, again, _columns(first)).importance(fit.correlation**2)


@dataclass(frozen=True)
class _Fit:
    """A forest, and how well it predicts trials that it has not seen."""

    scale: Scale
    kind: Kind
    forest: Forest
    correlation: float


def _explained(trials: Table, rng: np.random.Generator) -> _Fit:
    """The kind of forest that explains the losses better.

    Ranks are used where they are explained much better: where a few trials, such as those that early stopping has let
    go on, differ from each other by more than all others do.
    """
    as_they_are = max((_fit(trials, plain(trials.losses), kind, rng) for kind in KINDS), key=lambda it: it.correlation)
    by_rank = _fit(trials, ranked(trials.losses), as_they_are.kind, rng)
    return by_rank if by_rank.correlation > as_they_are.correlation + _MUCH_BETTER else as_they_are


def _fit(trials: Table, scale: Scale, kind: Kind, rng: np.random.Generator) -> _Fit:
    forest = grow(trials, scale.values, rng, TREES, kind=kind)
    told = ~np.isnan(forest.predicted)
    return _Fit(scale, kind, forest, _correlation(forest.predicted[told], scale.values[told]))


def _correlation(one: Array, other: Array) -> float:
    if len(one) < MIN_TRIALS // 2 or not one.std() > 0 or not other.std() > 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _columns(covered: Cover) -> list[int]:
    """The parameters among which interactions are looked for."""
    own = variances(covered, []).own
    return sorted(np.argsort(-own, kind="stable")[:PAIRS_OF].tolist())


@dataclass(frozen=True)
class _Finding:
    """Puts numbers together: those of the forest of all trials, with intervals from those of resampled trials."""

    table: Table
    scale: Scale
    first: Cover
    again: list[Cover]
    columns: list[int]

    def importance(self, quality: float) -> Importance:
        splits = [variances(covered, self.columns) for covered in (self.first, *self.again)]
        names = self.table.names
        shares = _intervals([_shares(split) for split in splits])
        order = sorted(range(len(names)), key=lambda column: -shares[column].value)
        total = [max(float(split.own.sum()) + sum(split.pairs.values()), 1e-300) for split in splits]
        by_pair = list(splits[0].pairs)
        pairs = _intervals([np.array([s.pairs[p] for p in by_pair]) / t for s, t in zip(splits, total, strict=True)])
        ranked = sorted(zip(by_pair, pairs, strict=True), key=lambda pair: -pair[1].value)
        place = {column: place for place, column in enumerate(order)}
        top = order[:SURFACES_OF]
        return Importance(
            parameters={names[column]: shares[column] for column in order},
            pairs={_pair(names, sorted(pair, key=place.__getitem__)): share for pair, share in ranked},
            marginals={names[column]: self._marginal(column) for column in order},
            surfaces={
                _pair(names, (one, other)): self._surface(one, other)
                for at, one in enumerate(top)
                for other in top[at + 1 :]
            },
            num_trials=len(self.table.losses),
            quality=quality,
        )

    def _marginal(self, column: int) -> Marginal:
        where = active_cells(self.table, [column])
        mean, low, high = self._objective([c.marginal(column, where) for c in (self.first, *self.again)])
        return Marginal(self.table.values(column), mean.tolist(), low.tolist(), high.tolist())

    def _surface(self, one: int, other: int) -> Surface:
        where = active_cells(self.table, [one, other])
        mean, low, high = self._objective([c.surface(one, other, where) for c in (self.first, *self.again)])
        first, second = self.table.values(one), self.table.values(other)
        return Surface(first, second, mean.tolist(), low.tolist(), high.tolist())

    def _objective(self, predictions: Sequence[Array]) -> tuple[Array, Array, Array]:
        """The objective's mean, and the bounds of its interval, of what the forests predict."""
        mean, low, high = _interval(np.stack([self.scale.back(losses) for losses in predictions]))
        return (mean, low, high) if self.table.sign > 0 else (-mean, -high, -low)


def _shares(split: Variances) -> Array:
    """(P,) each parameter's own variance and half of each interaction's, as shares of all (Shapley effects)."""
    parts = split.own.copy()
    for (one, other), variance in split.pairs.items():
        parts[one] += variance / 2
        parts[other] += variance / 2
    total = parts.sum()
    shares: Array = parts / total if total > 0 else np.full(len(parts), 1 / len(parts))
    return shares


def _intervals(shares: Sequence[Array]) -> list[Share]:
    """The first of several estimates of shares, with the interval that the others give."""
    value, low, high = _interval(np.stack(shares))
    bounds = np.clip(value, 0, 1), np.clip(low, 0, 1), np.clip(high, 0, 1)
    return [Share(*map(float, row)) for row in zip(*bounds, strict=True)]


def _interval(estimates: Array) -> tuple[Array, Array, Array]:
    """The first estimate, and 80% of how the others lie around their median, put around it."""
    value = estimates[0]
    low, middle, high = np.quantile(estimates[1:], [0.1, 0.5, 0.9], axis=0)
    return value, value - (middle - low), value + (high - middle)


def _pair(names: Sequence[str], columns: Sequence[int]) -> tuple[str, str]:
    one, other = columns
    return names[one], names[other]
