"""Hyperopt's tree-structured Parzen estimator (Bergstra et al. 2011, section 4) over the unit cube of a space.

The densities, their sampling and their scores are Hyperopt's own functions, called on arrays that are kept between
suggestions. `hyperopt.tpe.suggest` builds the same from documents and a graph of expressions at each call, which costs
ten times as much. Each searched parameter is modelled separately: ranges as a mixture of normals truncated to [0, 1],
choices by their counts, each value of a list by itself. An inactive parameter has no observation in that trial.
Hyperopt takes the best candidate of each parameter; this compares whole configurations, which is less greedy and finds
more (see README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.spec.feasible import Feasible
from tuner.spec.space import Choice, Params, Space

MAX_OBSERVATIONS = 250
"""How many trials are modelled at most, the best half and the newest half, so that a suggestion's cost is bounded."""
CANDIDATES = 24
"""Configurations drawn from the good trials' density, of which the best is taken; Hyperopt's default."""
BROAD_CANDIDATES = 8
"""Configurations drawn from the whole space for a broad suggestion."""
_PRIOR_WEIGHT = 1.0
_FORGETTING = 25
"""If there are more observations, older ones count less; Hyperopt's default."""
_NEVER = 10**9

_CAUTION = 0.5
"""The weight of the log probability of no bad end: half, because naive Bayes is too sure of it."""

Array = np.ndarray[Any, np.dtype[np.float64]]
Mixture = tuple[Array, Array, Array]
"""Weights, means and standard deviations of normals."""


@dataclass(frozen=True)
class Split:
    """The trials, by number, from which a model is made."""

    good: Sequence[int]
    others: Sequence[int]
    usable: Sequence[int]
    """Those of both kinds with a result and no bad end."""
    bad: Sequence[int]
    """Diverged and failed ones, also those that are not among the others."""
    odds: float
    """The ratio of trials with a bad end to those without, over all trials."""

    @property
    def numbers(self) -> list[int]:
        return [*self.good, *self.others]


def preload() -> None:
    """Imports Hyperopt, which takes almost a second, so that no suggestion waits for it."""
    import hyperopt.tpe  # noqa: F401


class TPE:
    """Suggests configurations that resemble good trials more than others.

    Array legend: T trials so far, P dimensions of the space, N candidates.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._dimensions = space.dimensions
        self._names = list(self._dimensions)
        self._sizes = [p.size if isinstance(p, Choice) else 0 for p in self._dimensions.values()]
        """The number of choices of each dimension; 0 for a range."""
        self._rows: Array = np.empty((64, len(self._names)))
        """(T, P) observed values: a position in [0, 1], or the index of a choice; NaN if inactive."""
        self._place: dict[int, int] = {}

    def learn(self, trial: int, params: Params) -> None:
        """Takes a trial's configuration, once; later suggestions may name the trial."""
        place = self._place[trial] = len(self._place)
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        values = self._space.flat(params)
        self._rows[place] = [self._label(name, values) for name in self._names]

    def suggest(
        self, split: Split, rng: np.random.Generator, *, broadly: bool = False, feasible: Feasible | None = None
    ) -> Params | None:
        """A configuration likelier among the good trials than among the others.

        Of N candidates drawn from the good trials' density l, it has the highest l(x) / g(x), over all of its active
        parameters together. Once trials have come to a bad end, this is weighed by the probability of no bad end, as
        expected improvement is by that of a constraint (Gelbart et al. 2014, equation 5; c-TPE, Watanabe and Hutter
        2023). The probability is naive Bayes' over the same estimators, made of the usable and the bad trials.

        Args:
            split: trials by number, all learned.
            rng: makes the suggestion a function of its arguments.
            broadly: draw fewer candidates, and from the whole space instead of the good trials' density.
            feasible: which candidates may be suggested; None is returned if none may.
        """
        num = BROAD_CANDIDATES if broadly else CANDIDATES
        below, above = self._observed(split.good), self._observed(split.others)
        usable, bad = self._observed(split.usable), self._observed(split.bad)
        units, scores, risks = np.zeros((3, num, len(self._names)))
        for column, size in enumerate(self._sizes):
            b, a, u, x = (
                values[~np.isnan(values)] for values in (rows[:, column] for rows in (below, above, usable, bad))
            )
            units[:, column], scores[:, column] = (
                _choices(b, a, size, num, rng, broadly) if size else _places(b, a, num, rng, broadly)
            )
            if len(bad):
                risks[:, column] = _log_ratio(x, u, size, units[:, column], forgetting=_NEVER)
        candidates = [self._space.from_units(dict(zip(self._names, row, strict=True))) for row in units.tolist()]
        flat = map(self._space.flat, candidates)
        is_active = np.array([[name in values for name in self._names] for values in flat])
        merits = (scores * is_active).sum(1)
        if len(bad):
            merits -= _CAUTION * np.logaddexp(0, np.log(split.odds) + (risks * is_active).sum(1))
        if feasible:
            merits = np.where([feasible(params) for params in candidates], merits, -np.inf)
        best = int(np.argmax(merits))
        return candidates[best] if merits[best] > -np.inf or not feasible else None

    def _observed(self, trials: Sequence[int]) -> Array:
        """(T, P) positions of these trials, the oldest first."""
        rows: Array = self._rows[sorted(self._place[trial] for trial in trials)]
        return rows

    def _label(self, name: str, values: Mapping[str, Any]) -> float:
        parameter = self._dimensions[name]
        if name not in values:
            return np.nan
        value = values[name]
        return float(parameter.index(value)) if isinstance(parameter, Choice) else parameter.to_unit(value)


def _places(below: Array, above: Array, num: int, rng: np.random.Generator, broadly: bool) -> tuple[Array, Array]:
    """(N,) positions in [0, 1] of a range's candidates, and log l - log g of each."""
    from hyperopt.tpe import GMM1

    good = _mixture(below)
    places = rng.random(num) if broadly else GMM1(*good, low=0.0, high=1.0, rng=rng, size=(num,))
    return places, _log_ratio_of(good, _mixture(above), places)


def _choices(
    below: Array, above: Array, size: int, num: int, rng: np.random.Generator, broadly: bool
) -> tuple[Array, Array]:
    """(N,) positions in [0, 1] of a choice's candidates, and log l - log g of each."""
    places: Array = (rng.choice(size, size=num, p=None if broadly else _shares(below, size)) + 0.5) / size
    return places, _log_ratio(below, above, size, places)


def _log_ratio(these: Array, those: Array, size: int, places: Array, forgetting: int = _FORGETTING) -> Array:
    """(N,) log p(place | these) - log p(place | those); `size` is the number of choices, or 0 for a range."""
    if not size:
        return _log_ratio_of(_mixture(these, forgetting), _mixture(those, forgetting), places)
    drawn = (places * size).astype(int)
    p, q = (np.log(_shares(values, size, forgetting)[drawn]) for values in (these, those))
    ratio: Array = p - q
    return ratio


def _log_ratio_of(these: Mixture, those: Mixture, places: Array) -> Array:
    """(N,) the same for positions in a range, whose values have been modelled."""
    from hyperopt.tpe import GMM1_lpdf

    p, q = (GMM1_lpdf(places, *normals, low=0.0, high=1.0) for normals in (these, those))
    ratio: Array = p - q
    return ratio


def _mixture(values: Array, forgetting: int = _FORGETTING) -> Mixture:
    """Weights, means and standard deviations of the normals that model the values of a range."""
    from hyperopt.tpe import adaptive_parzen_normal

    weights, means, deviations = adaptive_parzen_normal(values, _PRIOR_WEIGHT, 0.5, 1.0, LF=forgetting)
    return weights, means, deviations


def _shares(values: Array, size: int, forgetting: int = _FORGETTING) -> Array:
    """The share of each choice among the values; the oldest count less, and one of each is added."""
    from hyperopt.tpe import linear_forgetting_weights

    weights = linear_forgetting_weights(len(values), forgetting)
    counts = np.bincount(values.astype(int), weights=weights, minlength=size) + _PRIOR_WEIGHT
    shares: Array = counts / counts.sum()
    return shares
