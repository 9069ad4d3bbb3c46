"""late_bloomers: early stopping decided too soon, as far as those that went on can tell."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing

RULE = "late_bloomers"
MIN_WENT_ON = 6
"""At least so many trials went on from the rung and are compared later."""
_CHANCE = 0.5
"""From this chance on that one of the stopped trials would have been the best."""
_CROSSED = 0.25
"""At least this share of the pairs that went on changed their order."""
_NUM_SLOPES = 9


@dataclass(frozen=True)
class Cut:
    """What a rung decided."""

    level: int
    """The index of the rung."""
    seen_at: int
    """The index of the later level at which those that went on are compared."""
    num_stopped: int
    chance: float
    """That one of the stopped would be the best there."""
    num_went_on: int
    crossed: float
    """The share of pairs of those that went on that changed their order."""


def late_bloomers(standing: Standing) -> list[Finding]:
    """The rung that most likely stopped a winner, and what would judge later."""
    if standing.spec.early_stopping.algorithm != "asha":
        return []
    cuts = [cut for level in range(len(standing.rungs)) if (cut := _cut(standing, level)) is not None]
    telling = [cut for cut in cuts if cut.chance >= _CHANCE and cut.crossed >= _CROSSED]
    if not telling:
        return []
    cut = max(telling, key=lambda cut: cut.chance)
    epoch, later = standing.rungs[cut.level], _epoch_of(standing, cut.seen_at)
    text = (
        f"Early stopping after {'1 epoch' if epoch == 1 else f'{epoch} epochs'} cuts late bloomers: of the"
        f" {cut.num_went_on} trials that went on to {later} epochs, {cut.crossed:.0%} of the pairs changed their order."
        f" With a probability of {min(cut.chance, 0.99):.0%} one of the {cut.num_stopped} that were stopped would have"
        " been the best there."
    )
    return [Finding(RULE, text, "Judge later", _judging_later(standing, telling[-1].level))]


def _cut(standing: Standing, level: int) -> Cut | None:
    """What a rung decided, as seen at the last level that enough trials reached; None if there is none."""
    levels = {number: it.levels for number, it in standing.reached.items()}
    scores = _normal_scores({number: it[level] for number, it in levels.items() if level in it})
    stopped = [
        scores[number]
        for number, it in standing.reached.items()
        if it.trial.outcome == "stopped" and max(levels[number]) == level < it.last
    ]
    margin = 0.0 if standing.noise is None else standing.noise.deviation
    for seen_at in range(len(standing.rungs), level, -1):
        went_on = [(scores[number], it[seen_at]) for number, it in levels.items() if level in it and seen_at in it]
        if len(went_on) >= MIN_WENT_ON and stopped:
            crossed = [bool((a[0] - b[0]) * (a[1] - b[1]) < 0) for a, b in combinations(went_on, 2)]
            chance = _chance_of_a_better_one(went_on, stopped, margin)
            return Cut(level, seen_at, len(stopped), chance, len(went_on), sum(crossed) / len(crossed))
    return None


def _normal_scores(losses: Mapping[int, float]) -> dict[int, float]:
    """Trial -> what a standard normal variable has at its place; so that outliers count no more than others."""
    ordered = sorted(losses, key=lambda number: losses[number])
    return {number: NormalDist().inv_cdf((place + 0.5) / len(ordered)) for place, number in enumerate(ordered)}


def _chance_of_a_better_one(pairs: Sequence[tuple[float, float]], stopped: Sequence[float], margin: float) -> float:
    """That one of the stopped would be better than the best that went on.

    Args:
        pairs: (score at the rung, later loss) of those that went on. A least squares line leads from one to the other;
            the chance is the mean over what its slope may be.
        stopped: scores at the rung.
        margin: by how much it must be better.
    """
    count, best = len(pairs), min(loss for _, loss in pairs) - margin
    mean_x, mean_y = statistics.fmean(x for x, _ in pairs), statistics.fmean(y for _, y in pairs)
    squares = math.fsum((x - mean_x) ** 2 for x, _ in pairs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs) / squares
    rest = math.fsum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in pairs)
    deviation = math.sqrt(rest / (count - 2))
    if deviation <= 0:
        return 0.0
    chances = []
    for quantile in range(_NUM_SLOPES):
        away = NormalDist().inv_cdf((quantile + 0.5) / _NUM_SLOPES)
        possible = slope + away * deviation / math.sqrt(squares)
        ends = (mean_y + possible * (x - mean_x) for x in stopped)
        chances.append(1 - math.prod(1 - NormalDist(end, deviation).cdf(best) for end in ends))
    return statistics.fmean(chances)


def _epoch_of(standing: Standing, level: int) -> int:
    return standing.rungs[level] if level < len(standing.rungs) else standing.spec.epochs.max


def _judging_later(standing: Standing, last_level: int) -> tuple[str, ...]:
    """What moves the first rung behind the last one that says little; fewer are stopped where that is the last rung."""
    later = standing.rungs[min(last_level + 1, len(standing.rungs) - 1)]
    if later > standing.spec.epochs.min:
        return (override("epochs.min", later),)
    if standing.spec.early_stopping.reduction_factor > 2:
        return (override("early_stopping.reduction_factor", 2),)
    return (override("early_stopping.algorithm", "none"),)
