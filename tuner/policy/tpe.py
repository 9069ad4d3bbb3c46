"""Hyperopt's tree-structured Parzen estimator (Bergstra et al. 2011, section 4) over the unit cube of a space.

The densities, their sampling and their scores are Hyperopt's own functions, called on arrays that are kept between two
suggestions; `hyperopt.tpe.suggest` builds the same from documents and a graph of expressions at each call, which costs
ten times as much. Each searched parameter is modelled by itself: ranges as a mixture of normals truncated to [0, 1],
choices by their counts. An inactive parameter has no observation in that trial. Hyperopt takes the best candidate of
each parameter; here whole configurations are compared, which is less greedy and found more (see ARCHITECTURE.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.space import Choice, Params, Space

MAX_OBSERVATIONS = 250
"""The best half and the newest half of so many trials are modelled, so that a suggestion's cost is bounded."""
CANDIDATES = 24
"""Configurations drawn from the good trials' density, of which the likeliest is taken; Hyperopt's default."""
BROAD_CANDIDATES = 8
"""As many are drawn from the whole space for a broad suggestion."""
_PRIOR_WEIGHT = 1.0
_FORGETTING = 25
"""Of more observations the older ones count less; Hyperopt's default."""

Array = np.ndarray[Any, np.dtype[np.float64]]


class TPE:
    """Suggests configurations that resemble good trials more than others.

    Array legend: T trials told so far, P searched parameters, N candidates.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._names = space.searched
        self._sizes = [p.size if isinstance(p := space[name], Choice) else 0 for name in self._names]
        """The number of choices of each parameter; 0 for a range."""
        self._rows: Array = np.empty((64, len(self._names)))
        """(T, P) of observed values: a place in [0, 1], or a choice's index; NaN where inactive."""
        self._place: dict[int, int] = {}

    def learn(self, trial: int, params: Params) -> None:
        """Takes the configuration of a trial that later suggestions may name; each once."""
        place = self._place[trial] = len(self._place)
        if place == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[place] = [self._label(name, params) for name in self._names]

    def suggest(
        self, good: Sequence[int], others: Sequence[int], rng: np.random.Generator, *, broadly: bool = False
    ) -> Params:
        """A configuration likelier among the good trials than among the others: of N candidates that are drawn from
        the good ones' density l, the one with the highest l(x) / g(x), over all of its active parameters together.

        Args:
            good, others: trials by number, all learned.
            rng: makes the suggestion a function of its arguments.
            broadly: fewer candidates, drawn from the whole space and not from around the good trials.
        """
        num = BROAD_CANDIDATES if broadly else CANDIDATES
        below = self._rows[sorted(self._place[trial] for trial in good)]
        above = self._rows[sorted(self._place[trial] for trial in others)]
        units, scores = np.empty((2, num, len(self._names)))
        for column, size in enumerate(self._sizes):
            b, a = (values[~np.isnan(values)] for values in (below[:, column], above[:, column]))
            units[:, column], scores[:, column] = (
                _choices(b, a, size, num, rng, broadly) if size else _places(b, a, num, rng, broadly)
            )
        candidates = [self._space.from_units(dict(zip(self._names, row, strict=True))) for row in units.tolist()]
        is_active = np.array([[name in params for name in self._names] for params in candidates])
        return candidates[int(np.argmax((scores * is_active).sum(1)))]

    def _label(self, name: str, params: Params) -> float:
        parameter = self._space[name]
        if name not in params:
            return np.nan
        value = params[name]
        return float(parameter.index(value)) if isinstance(parameter, Choice) else parameter.to_unit(value)


def _places(below: Array, above: Array, num: int, rng: np.random.Generator, broadly: bool) -> tuple[Array, Array]:
    """(N,) places in [0, 1] of a range's candidates, and log l - log g of each."""
    from hyperopt.tpe import GMM1, GMM1_lpdf, adaptive_parzen_normal

    good, others = (
        adaptive_parzen_normal(values, _PRIOR_WEIGHT, 0.5, 1.0, LF=_FORGETTING) for values in (below, above)
    )
    places = rng.random(num) if broadly else GMM1(*good, low=0.0, high=1.0, rng=rng, size=(num,))
    return places, GMM1_lpdf(places, *good, low=0.0, high=1.0) - GMM1_lpdf(places, *others, low=0.0, high=1.0)


def _choices(
    below: Array, above: Array, size: int, num: int, rng: np.random.Generator, broadly: bool
) -> tuple[Array, Array]:
    """(N,) places in [0, 1] of a choice's candidates, and log l - log g of each."""
    good, others = (_shares(values, size) for values in (below, above))
    drawn = rng.choice(size, size=num, p=None if broadly else good)
    return (drawn + 0.5) / size, np.log(good[drawn]) - np.log(others[drawn])


def _shares(values: Array, size: int) -> Array:
    """How often each choice stands among the values, the oldest counting less, with one of each added."""
    from hyperopt.tpe import linear_forgetting_weights

    weights = linear_forgetting_weights(len(values), _FORGETTING)
    counts = np.bincount(values.astype(int), weights=weights, minlength=size) + _PRIOR_WEIGHT
    shares: Array = counts / counts.sum()
    return shares
