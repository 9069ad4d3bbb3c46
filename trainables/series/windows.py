"""Windows of a series, split by time, and what they are compared with. Pure.

T times, C columns, N windows of W times, H times ahead. The targets of each part lie within it; the windows before
them may reach back into the part before, which was known by then. So no part sees what comes after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.contract import DataError

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """Where the parts of a series end: training, validation, test."""

    train: int
    validation: int
    test: int

    @classmethod
    def of(cls, name: str, times: int, validation_share: float, test_share: float, horizon: int) -> Split:
        """The last times are the test's, those before them the validation's.

        Raises:
            DataError: a part is too short.
        """
        test, validation = round(times * test_share), max(round(times * validation_share), 1)
        train = times - validation - test
        for part, length in (("training", train - 1), ("validation", validation), ("test", test or horizon)):
            if length < horizon:
                rule = f"must have at least {horizon + (part == 'training')} times for {part}, as horizon is {horizon}"
                got = train if part == "training" else length
                raise DataError(f"{name}: {rule}, but of {times} it has {max(got, 0)}")
        return cls(train, train + validation, times)

    def origins(self, part: str, window: int, horizon: int) -> range:
        """The first times of the targets of a part."""
        first, end = {
            "train": (window, self.train),
            "validation": (self.train, self.validation),
            "test": (self.validation, self.test),
        }[part]
        return range(max(first, window), end - horizon + 1)


def windows(values: Array, target: int, origins: range, window: int, horizon: int) -> tuple[Array, Array]:
    """x of shape (N, W, C), the values before each origin, and y of shape (N, H), the target from it on."""
    views = np.lib.stride_tricks.sliding_window_view(values, window, axis=0)  # (T - W + 1, C, W)
    x = views[origins.start - window : origins.stop - window].transpose(0, 2, 1)
    following = np.lib.stride_tricks.sliding_window_view(values[:, target], horizon)
    return np.ascontiguousarray(x), np.ascontiguousarray(following[origins.start : origins.stop])


def naive_mae(series: Array, origins: range, horizon: int, season: int) -> float:
    """The mean absolute error of repeating the last value; with a season, of the values of one season before.

    Args:
        series: the target, of shape (T,).
        season: 0 for none.
    """
    errors = []
    for step in range(horizon):
        lag = (step // season + 1) * season if season else step + 1  # to the newest value known at the origin
        first, end = max(origins.start + step, lag), origins.stop + step
        errors.append(np.abs(series[first:end] - series[first - lag : end - lag]))
    return float(np.concatenate(errors).astype(np.float64).mean())
