"""The rule of the learning-rate range test (Smith 2017): a range from the rates and losses of one short training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BETA = 0.9
"""Of the moving average."""
STEPS = 120
LOWEST, HIGHEST = 1e-6, 10.0
"""The rates of a test: every useful one of Keras's optimizers lies between."""
_BEGUN = 0.1
"""The part of the whole fall after which the loss has begun to fall, or within which it has not turned."""
_FALL_MIN = 0.02
"""A smaller fall, as a part of the first loss, is none."""
_QUIET = 20
"""The first steps, whose rate is too low to change the loss: they show its level."""
_NOISE = math.sqrt(1 / _QUIET + (1 + BETA**2) * (1 - BETA) / (1 + BETA) ** 3)
"""The deviation of the first level from a smoothed loss, where the rate changes nothing; of one loss it is 1."""


@dataclass(frozen=True)
class Range:
    """What a test shows; rates are None where the loss never fell."""

    low: float | None
    high: float | None
    steepest: float | None
    diverged_at: float | None
    smoothed: tuple[float, ...]
    """Of each step before the divergence."""
    reason: str = ""


def growing(low: float = LOWEST, high: float = HIGHEST, steps: int = STEPS) -> list[float]:
    """The rate of each step: it grows exponentially."""
    return [float(rate) for rate in np.geomspace(low, high, steps)]


def has_diverged(losses: Sequence[float]) -> bool:
    """Whether a test may end: its newest loss is not finite, or the losses have exploded."""
    if not losses:
        return False
    if not math.isfinite(losses[-1]):
        return True
    return len(losses) > _QUIET and _averages(losses)[-1] > _exploded(losses)


def smoothed(losses: Sequence[float]) -> list[float]:
    """The bias-corrected moving average of both directions: it weighs by BETA ** distance, and does not lag."""
    steps = np.arange(len(losses))
    weights = BETA ** np.abs(steps[:, None] - steps)
    return [float(loss) for loss in weights @ np.asarray(losses, float) / weights.sum(axis=1)] if len(losses) else []


def analysed(rates: Sequence[float], losses: Sequence[float]) -> Range:
    """From where the loss begins to fall, to where it turns or diverges.

    Args:
        rates: of each step, growing.
        losses: of each step's batch; fewer than rates where the test ended early. May end in what is not finite.
    """
    count = next((n for n in range(1, len(losses) + 1) if has_diverged(losses[:n])), None)
    diverged_at = None if count is None else float(rates[count - 1])
    sound = [float(loss) for loss in (losses if count is None else losses[: count - 1])]
    if len(sound) < 3:
        return Range(None, None, None, diverged_at, tuple(sound), "the loss is not finite from the first steps on")
    curve = np.array(smoothed(sound))
    first = float(np.mean(sound[:_QUIET]))
    noise = _noise(sound)
    bottom = int(curve.argmin())
    fall = first - float(curve[bottom])
    if fall < max(4 * _NOISE * noise, _FALL_MIN * abs(first)) or bottom == 0:
        told = "the loss did not fall at any rate" if diverged_at is None else "the loss diverged before it fell"
        return Range(None, None, None, diverged_at, tuple(map(float, curve)), told)
    slack = max(_BEGUN * fall, min(2 * _NOISE * noise, 0.5 * fall))
    before = [at for at in range(bottom) if curve[at] >= first - slack]
    begin = before[-1] + 1 if before else 0
    after = [at for at in range(bottom, len(curve)) if curve[at] > curve[bottom] + slack]
    end = max(bottom, after[0] - 1) if after else len(curve) - 1
    steepest = begin + int(np.gradient(curve)[begin : bottom + 1].argmin())
    reason = ""
    if not after and diverged_at is None:
        reason = "the loss had not turned at the highest rate"
    elif begin == 0:
        reason = "the loss fell from the lowest rate on"
    return Range(
        float(rates[begin]), float(rates[end]), float(rates[steepest]), diverged_at, tuple(map(float, curve)), reason
    )


def _averages(losses: Sequence[float]) -> list[float]:
    """The bias-corrected moving average of the losses so far."""
    average, made = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = BETA * average + (1 - BETA) * loss
        made.append(average / (1 - BETA**step))
    return made


def _exploded(losses: Sequence[float]) -> float:
    """The level that only a diverging loss reaches."""
    first = float(np.median(losses[:_QUIET]))
    lowest = min(_averages(losses))
    return first + max(2 * abs(first), first - lowest, 8 * _noise(losses))


def _noise(losses: Sequence[float]) -> float:
    """The deviation of a loss around its trend, from the differences of neighbours."""
    steps = np.diff(np.asarray(losses, float))
    return 0.0 if len(steps) < 2 else float(1.4826 * np.median(np.abs(steps - np.median(steps))) / math.sqrt(2))
