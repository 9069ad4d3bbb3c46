"""The rule of epochs: after which one a validation curve improves no more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

ROOM = 1.5
"""A whole training has this many times the epochs after which the curve was flat."""
BEYOND_MAX = 4
"""A curve's continuation is believed up to so many times its length."""
_FLAT = 0.02
"""A curve is flat when less than this part of its whole gain is left."""
_PATIENCE = 3


@dataclass(frozen=True)
class Flattening:
    """Where a curve flattens."""

    improves_until: int | None
    """The epoch; None if it lies beyond the run, or there is none."""
    suggested_max: int
    reason: str


def flattens(values: Sequence[float], mode: Literal["min", "max"]) -> Flattening | None:
    """Where the values after each epoch, from the first, stop improving; None without two finite ones.

    Within the run that is the epoch whose value no later one improves by a fiftieth of the whole gain, where at least
    three, and a quarter of the run, follow it. Else a + b * exp(-epoch / tau) is fitted, and says how far it goes on.
    """
    sound = [float(value) for value in values]
    while sound and not math.isfinite(sound[-1]):
        sound.pop()
    if len(sound) < 2 or not all(map(math.isfinite, sound)):
        return None
    losses = np.array(sound if mode == "min" else [-value for value in sound])
    best = np.minimum.accumulate(losses)
    gain = float(best[0] - best[-1])
    length = len(losses)
    if gain <= 0:
        return Flattening(1, max(3, length), f"no epoch of {length} was better than the first")
    slack = max(_FLAT * gain, min(_noise(losses), 0.1 * gain))
    epoch = int(np.argmax(best <= best[-1] + slack)) + 1
    if length - epoch >= max(_PATIENCE, length // 4):
        most = max(math.ceil(ROOM * epoch), 3)
        return Flattening(epoch, most, f"after epoch {epoch} of {length} it gained less than {_FLAT:.0%} of its gain")
    beyond = min(max(_end_of_fit(losses), length + 1), BEYOND_MAX * length)
    told = f"it still improved at the end of {length} epochs; a fitted curve flattens at about epoch {beyond}"
    if beyond == BEYOND_MAX * length:
        told = f"it still improved at the end of {length} epochs, and no end is in sight"
    return Flattening(None, max(beyond, 3), told)


def _end_of_fit(losses: np.ndarray) -> int:
    """The epoch at which a + b * exp(-epoch / tau), fitted by least squares, has a fiftieth of its fall left."""
    length = len(losses)
    epochs = np.arange(1, length + 1)
    found, smallest = length, math.inf
    for tau in np.geomspace(0.5, 10 * length, 60):
        falling = np.exp(-(epochs - 1) / tau)
        columns = np.stack([np.ones(length), falling], axis=1)
        solved, *_ = np.linalg.lstsq(columns, losses, rcond=None)
        error = float(((columns @ solved - losses) ** 2).sum())
        if solved[1] > 0 and error < smallest:
            smallest, found = error, math.ceil(1 - tau * math.log(_FLAT))
    return found


def _noise(losses: np.ndarray) -> float:
    """The deviation of the second half around its trend."""
    steps = np.diff(losses[len(losses) // 2 :])
    return 0.0 if len(steps) < 3 else float(np.std(steps) / math.sqrt(2))
