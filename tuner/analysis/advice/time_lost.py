"""time_lost: trials that diverged, failed or ran out of memory, and the part of the space where they lie."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tuner.analysis.advice.axes import Axis, axes, rounded
from tuner.analysis.advice.chance import chance_as_many
from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing
from tuner.base.text import duration_text, listed, short
from tuner.base.words import cut, value_key
from tuner.spec.space import Choice, Float, Int

RULE = "time_lost"
MIN_BAD = 3
_MIN_SHARE = 0.05
"""Of the trials or of the training time."""
_MUCH = 0.2
"""From this share on nothing is more pressing."""
_REASON_LENGTH = 120
_CHANCE = 0.02
_BEYOND = 0.85
"""At least this share of the bad trials lies beyond a bound that avoids them."""
_GOOD_LOST = 0.1
"""At most this share of the usable trials lies beyond it."""
_BEST_KEPT = 0.25
"""None of the best of this share does."""
_WORDS = {"diverged": "diverged", "failed": "failed", "out_of_memory": "ran out of memory"}


@dataclass(frozen=True)
class Region:
    """Where bad trials lie: beyond a bound, or at one value of a choice."""

    chance: float
    num_bad: int
    num_good: int
    where: str
    overrides: tuple[str, ...]


def time_lost(standing: Standing) -> list[Finding]:
    """How much was lost, where, and the bound that avoids it."""
    bad, total_s = standing.bad, standing.sweep.training_s
    lost_s = sum(trial.training_s for trial in bad)
    share_s = lost_s / total_s if total_s > 0 else 0.0
    share = len(bad) / max(1, standing.num_ended)
    if len(bad) < MIN_BAD or max(share, share_s) < _MIN_SHARE:
        return []
    text, is_pressing = _what(standing, share_s), max(share, share_s) >= _MUCH
    regions = sorted([*_beyond_bounds(standing), *_at_choices(standing)], key=lambda region: region.chance)
    if not regions:
        return [Finding(RULE, f"{text}{_most_often(standing)}", is_pressing=True)] if is_pressing else []
    first = regions[0]
    which = f"All {len(bad)}" if first.num_bad == len(bad) else f"{first.num_bad} of the {len(bad)}"
    others = (
        f", as did {first.num_good} of the {len(standing.ranked)} others" if first.num_good else ", and no other did"
    )
    text = f"{text} {which} had {first.where}{others}."
    return [Finding(RULE, text, "Avoid them", first.overrides, is_pressing=is_pressing)]


def _what(standing: Standing, share_s: float) -> str:
    """How many of the trials were lost, and their share of the training time."""
    kinds = Counter(str(trial.outcome) for trial in standing.bad)
    num_trials, lost_s = standing.num_ended, sum(trial.training_s for trial in standing.bad)
    time = f" ({duration_text(lost_s)})" if lost_s >= 1 else ""
    cost = f", which took {share_s:.0%} of the training time{time}" if share_s >= 0.005 else ""
    if kinds.total() == num_trials and len(kinds) == 1:
        return f"All {num_trials} trials {_WORDS[next(iter(kinds))]}."
    what = listed([f"{count} {_WORDS[kind]}" for kind, count in kinds.most_common()])
    return f"Of {num_trials} trials {what}{cost}."


def _most_often(standing: Standing) -> str:
    """The most frequent reason of failures, for what no bound avoids."""
    reasons = Counter(
        cut(" ".join(trial.reason.split()), _REASON_LENGTH) for trial in standing.bad if trial.outcome == "failed"
    )
    reason = next((reason for reason, _ in reasons.most_common(1) if reason), "")
    where = " No part of the space has them to itself." if standing.ranked else ""
    return f"{where} The most frequent reason of failures: {reason}" if reason else where


def _beyond_bounds(standing: Standing) -> list[Region]:
    found = []
    known = axes(standing.spec.space)
    for axis in known:
        bad = [number for trial in standing.bad if (number := axis.number(trial.params)) is not None]
        good = [number for trial in standing.ranked if (number := axis.number(trial.params)) is not None]
        best = good[: math.ceil(_BEST_KEPT * len(good))]
        for is_high in (True, False):
            region = _beyond(axis, sorted(bad), good, best, is_high, len(standing.bad))
            if region is not None and region.chance < _CHANCE / (2 * len(known)):
                found.append(region)
    return found


def _beyond(
    axis: Axis, bad: list[float], good: list[float], best: list[float], is_high: bool, num_bad: int
) -> Region | None:
    """The bound that leaves out most of the bad and few of the good; None if there is none."""
    sign = 1 if is_high else -1
    chosen: Region | None = None
    for first in sorted(set(bad)):
        beyond = [value for value in bad if sign * (value - first) >= 0]
        lost = [value for value in good if sign * (value - first) >= 0]
        if len(beyond) < _BEYOND * num_bad or len(lost) > _GOOD_LOST * len(good) or len(beyond) < MIN_BAD:
            continue
        kept = [value for value in good if sign * (value - first) < 0]
        if not kept or any(sign * (value - first) >= 0 for value in best):
            continue
        limit = (max if is_high else min)(kept)
        bound = _bound(axis, limit, first, is_high)
        if bound is None:
            continue
        chance = chance_as_many(len(beyond), len(beyond) + len(lost), len(bad), len(bad) + len(good))
        above = "above" if is_high else "below"
        end = "high" if is_high else "low"
        if isinstance(axis.element, Choice):
            left = [value for value in axis.element.choices if sign * (value - bound) <= 0]
            overrides = (override(f"space.{axis.parameter}.choices", left),) if len(left) > 1 else ()
        else:
            overrides = (override(f"space.{axis.parameter}.{end}", bound),)
        if overrides and (chosen is None or chance < chosen.chance):
            chosen = Region(chance, len(beyond), len(lost), f"{axis.name} {above} {axis.text(bound)}", overrides)
    return chosen


def _bound(axis: Axis, kept: float, first: float, is_high: bool) -> Any:
    """A round number between the last value that is kept and the first bad one; None where there is none."""
    element = axis.element
    if isinstance(element, Choice):
        return next(value for value in element.choices if float(value) == kept) if kept in element.choices else None
    if isinstance(element, Int) or element.step is not None:
        low, step = element.low, element.step
        steps = (kept - low) / step  # type: ignore[operator]
        whole = math.ceil(steps - 1e-9) if is_high else math.floor(steps + 1e-9)
        value = low + whole * step  # type: ignore[operator]
        value = int(value) if isinstance(element, Int) else float(f"{value:.12g}")
        fits = (value < first if is_high else value > first) and element.low <= value <= element.high
        return value if fits and value != (element.low if is_high else element.high) else None
    if element.num is not None:
        return None
    inside = math.sqrt(kept * first) if axis.is_log else (kept + first) / 2
    for digits in (1, 2, 3, 4):
        value = rounded(inside, digits)
        if (kept <= value < first) if is_high else (first < value <= kept):
            return value if element.low < value < element.high else None
    return kept if element.low < kept < element.high else None


def _at_choices(standing: Standing) -> list[Region]:
    """The values of choices at which most of a kind ended badly."""
    found = []
    choices = {
        name: written for name, written in standing.spec.space.items()
        if isinstance(written, Choice) and written.size > 2 and not isinstance(written, Float | Int)
    }  # fmt: skip
    for name, written in choices.items():
        for value in written.choices:
            wanted = value_key(value)

            def has(trial: Any, name: str = name, wanted: str = wanted) -> bool:
                return name in trial.params and value_key(trial.params[name]) == wanted

            bad, lost = sum(map(has, standing.bad)), sum(map(has, standing.ranked))
            best = standing.ranked[: math.ceil(_BEST_KEPT * len(standing.ranked))]
            if bad < max(MIN_BAD, _BEYOND * len(standing.bad)) or lost > _GOOD_LOST * len(standing.ranked):
                continue
            if any(map(has, best)):
                continue
            num_bad, total = len(standing.bad), standing.num_ended
            chance = chance_as_many(bad, bad + lost, num_bad, total)
            if chance < _CHANCE / sum(it.size for it in choices.values()):
                left = [other for other in written.choices if value_key(other) != wanted]
                change = override(f"space.{name}.choices", left)
                found.append(Region(chance, bad, lost, f"{name} {short(value)}", (change,)))
    return found
