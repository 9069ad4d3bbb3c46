"""The scales on which losses are explained: as they are, or by their ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuner.analysis.table import Array


@dataclass(frozen=True)
class Scale:
    """Losses with mean 0 and variance 1.

    Array legend: T trials.
    """

    values: Array
    """(T,) on this scale. Rounded, so that a change of the objective's unit changes nothing."""
    _positions: Array
    """(T,) ascending positions on the scale, without gaps in what `back` takes."""
    _losses: Array
    """(T,) the losses there."""
    _slope: float
    """Of losses over positions beyond the ends."""

    def back(self, values: Array) -> Array:
        """The losses at some positions."""
        low, high = self._positions[0], self._positions[-1]
        beyond = np.minimum(values - low, 0) + np.maximum(values - high, 0)
        losses: Array = np.interp(values, self._positions, self._losses) + self._slope * beyond
        return losses


def plain(losses: Array) -> Scale:
    """Losses as they are."""
    ends = np.array([losses.min(), losses.max()])
    shares = (losses - ends[0]) / (ends[1] - ends[0])  # which can be squared, however large or small losses are
    positions = (np.array([0.0, 1.0]) - shares.mean()) / shares.std()
    return Scale(_standardized(shares), positions, ends, float((ends[1] - ends[0]) * shares.std()))


def ranked(losses: Array) -> Scale:
    """Losses by their ranks; equal ones share the mean of theirs."""
    ordered = np.sort(losses)
    ranks = (np.searchsorted(ordered, losses, "left") + np.searchsorted(ordered, losses, "right")) / 2.0
    values = _standardized(ranks)
    order = np.argsort(values, kind="stable")
    return Scale(values, values[order], losses[order], 0.0)


def _standardized(values: Array) -> Array:
    standardized: Array = np.round((values - values.mean()) / values.std(), 9)
    return standardized
