"""How a series is scaled: by the mean and the standard deviation of the training part alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.contract import DataError


@dataclass(frozen=True)
class Scaling:
    """value * factor + offset is the scaled value, by column; `mean` and `deviation` are those of the target."""

    factors: tuple[float, ...]
    offsets: tuple[float, ...]
    target: int
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: np.ndarray[Any, Any], target: int, name: str) -> Scaling:
        """Of the training part, (T, C); a column that is constant there is only shifted.

        Raises:
            DataError: the target is constant.
        """
        exact = values.astype(np.float64)
        means, deviations = exact.mean(axis=0), exact.std(axis=0)
        if exact[:, target].max() == exact[:, target].min():
            raise DataError(f"{name}: the target must change, but is {exact[0, target]:g} in all of the training part")
        factors = 1 / np.where(deviations > 0, deviations, 1.0)
        return cls(
            tuple(map(float, factors)),
            tuple(map(float, -means * factors)),
            target,
            float(means[target]),
            float(deviations[target]),
        )
