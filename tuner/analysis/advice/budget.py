"""more_trials, longer: which of the two would still improve the best result, and by how much."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from tuner.analysis.advice.axes import rounded
from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing
from tuner.base.text import short

MORE_TRIALS, LONGER = "more_trials", "longer"
MIN_TRIALS = 16
_MIN_EPOCHS = 8
_NUM_BEST = 3
_LESSER = 0.3
"""The one with less than this share of the other's gain is not worth a word."""
_SMALL_SHARE = 0.03
"""A gain below this share of the distance between the best trial and the median is none."""


def budget(standing: Standing, explains: bool) -> list[Finding]:
    """The two, the one with the larger gain first; nothing where both curves are flat.

    Args:
        explains: whether the parameters are known to explain the results. Where they do not, more trials only bring
            more luck.
    """
    found = []
    if explains and (gain := gain_of_trials(standing)) is not None:
        found.append((gain, _more_trials(standing, gain)))
    if (gain := gain_of_epochs(standing)) is not None:
        found.append((gain, _longer(standing, gain)))
    largest = max((gain for gain, _ in found), default=0.0)
    telling = [(gain, finding) for gain, finding in found if gain >= _LESSER * largest]
    return [finding for _, finding in sorted(telling, key=lambda item: -item[0])]


def gain_of_trials(standing: Standing) -> float | None:
    """By how much as many trials again would improve the best one; None if by less than the noise.

    From the expected best of every half and every quarter of the trials (Dodge et al. 2019, "Show Your Work"): what the
    last doubling brought, times the ratio in which doublings bring less.
    """
    losses, num_trials = list(standing.expected), len(standing.ranked) + len(standing.bad)
    if num_trials < MIN_TRIALS or len(losses) < MIN_TRIALS / 2:
        return None
    losses += [losses[-1]] * (num_trials - len(losses))
    quarter, half = (_expected_best(losses, num_trials // share) for share in (4, 2))
    last, before = half - losses[0], quarter - half
    gain = last * min(1.0, last / before) if before > 0 else 0.0
    return gain if gain > _smallest(standing) else None


def gain_of_epochs(standing: Standing) -> float | None:
    """By how much twice as many epochs would improve the best trials; None if by less than the noise.

    From what the last doubling of a training's epochs brought, times the ratio in which doublings bring less.
    """
    epochs_max = standing.spec.epochs.max
    if epochs_max < _MIN_EPOCHS or len(standing.ranked) <= _NUM_BEST or "epochs" in standing.spec.space.searched:
        return None
    if standing.noise is None:
        return None
    whole = [trial for trial in standing.ranked if trial.epochs_trained == epochs_max][:_NUM_BEST]
    gains = [gain for trial in whole if (gain := _gain(standing.losses(trial))) is not None]
    if not gains:
        return None
    late = sum(trial.best_epoch > 0.8 * epochs_max for trial in whole)
    gain = statistics.median(gains)
    width = max(1, epochs_max // 4)
    is_sure = gain > 2 * standing.noise.deviation * math.sqrt(2 / width)
    return gain if is_sure and late > len(whole) / 2 and gain > _smallest(standing) else None


def _smallest(standing: Standing) -> float:
    """The smallest gain worth a word."""
    losses = standing.expected
    spread = statistics.median(losses) - losses[0] if losses else 0.0
    noise = standing.noise.deviation if standing.noise is not None else 0.0
    return max(noise, _SMALL_SHARE * spread)


def _expected_best(losses: Sequence[float], drawn: int) -> float:
    """The mean of the lowest of so many losses, over all ways to draw them; losses ascend."""
    total = len(losses)
    expected, chance_left = 0.0, 1.0
    for index, loss in enumerate(losses):
        chance = chance_left * drawn / (total - index)  # that this is the lowest, as none before was drawn
        if chance >= chance_left:
            return expected + chance_left * loss
        expected += chance * loss
        chance_left -= chance
    return expected


def _gain(losses: Sequence[float]) -> float | None:
    """What twice the epochs would bring to one training, if it nears its end exponentially; None if that is unknown.

    With y = exp(-T / 4 tau) after T epochs, the last doubling brought y + y**2 times what the one before did, and the
    next one brings the same of y**2.
    """
    count = len(losses)
    levels = [_level(losses, count // share) for share in (4, 2, 1)]
    if not all(map(math.isfinite, levels)):
        return None
    before, last = levels[0] - levels[1], levels[1] - levels[2]
    if last <= 0 or before <= 0:
        return 0.0
    y = (math.sqrt(1 + 4 * last / before) - 1) / 2
    return last * min(1.0, y**2 + y**4)


def _level(losses: Sequence[float], stop: int) -> float:
    """The mean loss of the last quarter of the first `stop` epochs."""
    return statistics.fmean(losses[stop - max(1, stop // 4) : stop])


def _more_trials(standing: Standing, gain: float) -> Finding:
    num_trials = len(standing.ranked) + len(standing.bad)
    text = (
        f"More trials would pay: {num_trials} more would improve the best {standing.sweep.metric} by about"
        f" {short(rounded(gain, 2))}, to judge by what the second half brought."
    )
    wanted = standing.sweep.num_trials + num_trials
    return Finding(MORE_TRIALS, text, "Go on", (override("num_trials", wanted),))


def _longer(standing: Standing, gain: float) -> Finding:
    epochs_max = standing.spec.epochs.max
    text = (
        f"Longer trials would pay: the best ones still improve after {epochs_max} epochs, and twice as many would bring"
        f" about {short(rounded(gain, 2))} of {standing.sweep.metric}."
    )
    overrides = [override("epochs.max", 2 * epochs_max)]
    if "epochs" in standing.spec.space:
        overrides.append(override("space.epochs", 2 * epochs_max))
    return Finding(LONGER, text, "Train longer", tuple(overrides), needs_new=True)
