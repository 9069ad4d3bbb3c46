"""`seasons`: a made series of hours, so that a forecast can be tried without any file."""

from __future__ import annotations

from typing import Any

import numpy as np

NAMES = ("temperature", "load")
HOURS = 3_000
_SEED = 0
_KEPT = 0.9
"""Of the last hour's deviation."""


def seasons() -> np.ndarray[Any, Any]:
    """float32 of shape (3000, 2): a temperature, and a load that follows it hours later.

    Both have a daily cycle, the load a weekly one; their deviations from it are autoregressive.
    """
    rng = np.random.default_rng(_SEED)
    hour = np.arange(HOURS)
    temperature = 15 + 6 * np.sin(2 * np.pi * (hour - 9) / 24) + _wandering(rng, 0.8)
    is_weekend = (hour // 24) % 7 >= 5
    daily = np.sin(2 * np.pi * (hour - 7) / 24) + 0.5 * np.sin(4 * np.pi * (hour - 5) / 24)
    felt = np.convolve(temperature, np.ones(6) / 6)[:HOURS]  # the mean of the last six hours
    load = 300 + 60 * daily * np.where(is_weekend, 0.5, 1.0) + 3 * (felt - 15) + _wandering(rng, 5.0)
    return np.stack([temperature, load], axis=1).astype(np.float32)


def _wandering(rng: np.random.Generator, size: float) -> np.ndarray[Any, Any]:
    """An autoregressive process of order 1."""
    steps = rng.normal(0.0, size, HOURS)
    found = np.empty(HOURS)
    value = 0.0
    for index, step in enumerate(steps):
        value = _KEPT * value + step
        found[index] = value
    return found
