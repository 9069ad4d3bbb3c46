"""late_bloomers: early stopping decided too soon, as far as those that went on can tell."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing

RULE = "late_bloomers"
MIN_PAIRS = 6
"""At least so many trials went on from the rung and are compared later."""
_CHANCE = 0.5
"""From this chance on that one of the stopped trials would have been the best."""
_CROSSED = 0.2
"""At least this share of the pairs that went on changed their order."""


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
    return [Finding(RULE, text, "Judge later", _judging_later(standing, cut.level), needs_new=True)]


def _cut(standing: Standing, level: int) -> Cut | None:
    """What a rung decided, as seen at the last level that enough trials reached; None if nothing can be told.

    A line through those that went on says nothing beyond the worst of them: worse trials that were stopped do not
    count; or, where those behind came in front, no more than the worst.
    """
    levels = {number: dict(it.levels) for number, it in standing.reached.items()}
    stopped = [
        levels[number][level]
        for number, it in standing.reached.items()
        if it.trial.outcome == "stopped" and it.levels[-1][0] == level < it.last
    ]
    for seen_at in range(len(standing.rungs), level, -1):
        pairs = [(it[level], it[seen_at]) for it in levels.values() if level in it and seen_at in it]
        if len(pairs) >= MIN_PAIRS and stopped:
            crossed = [bool((a[0] - b[0]) * (a[1] - b[1]) < 0) for a, b in combinations(pairs, 2)]
            chance = _chance_of_a_better_one(pairs, stopped)
            return Cut(level, seen_at, len(stopped), chance, len(pairs), sum(crossed) / len(crossed))
    return None


def _chance_of_a_better_one(pairs: Sequence[tuple[float, float]], stopped: Sequence[float]) -> float:
    """That one of the stopped would be better than the best that went on, by the least squares line of the pairs."""
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    squares = sum((x - mean_x) ** 2 for x in xs)
    if squares <= 0:
        return 0.0
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / squares
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in pairs)
    deviation, best = math.sqrt(rest / (len(pairs) - 2)), min(ys)
    none_would = 1.0
    for loss in stopped:
        if deviation > 0 and (loss <= max(xs) or slope <= 0):
            end = mean_y + slope * (min(loss, max(xs)) - mean_x)
            none_would *= 1 - 0.5 * math.erfc((end - best) / (deviation * math.sqrt(2)))
    return 1 - none_would


def _epoch_of(standing: Standing, level: int) -> int:
    return standing.rungs[level] if level < len(standing.rungs) else standing.spec.epochs.max


def _judging_later(standing: Standing, level: int) -> tuple[str, ...]:
    following = _epoch_of(standing, level + 1)
    if following < standing.spec.epochs.max:
        return (override("epochs.min", following),)
    if standing.spec.early_stopping.reduction_factor > 2:
        return (override("early_stopping.reduction_factor", 2),)
    return (override("early_stopping.algorithm", "none"),)
