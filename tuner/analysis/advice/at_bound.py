"""at_bound: the best trials crowd at a bound of a parameter, so that better ones may lie beyond it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tuner.analysis.advice.axes import Axis, axes
from tuner.analysis.advice.chance import chance_as_good
from tuner.analysis.advice.finding import Finding
from tuner.analysis.advice.standing import Standing
from tuner.analysis.advice.widening import widened

RULE = "at_bound"
MIN_TRIALS = 12
_CHANCE = 0.02
"""How often the rule may speak of a sweep whose parameters change nothing; shared by all bounds."""
_SHARE_OF_BEST = 0.75
"""At least this share of the best trials lies at the bound, the best one among them."""


def at_bound(standing: Standing) -> list[Finding]:
    """The bounds at which the best lie, the least likely by chance first."""
    if standing.num_ended < MIN_TRIALS:
        return []
    known = axes(standing.spec.space)
    found: dict[tuple[str, ...], tuple[float, str]] = {}
    for axis in known:
        for is_high in (True, False):
            overrides, chance = widened(axis, is_high), _crowded(standing, axis, is_high)
            if not overrides or chance is None or chance >= _CHANCE / (2 * len(known)):
                continue
            if overrides not in found or chance < found[overrides][0]:  # the values of a list share their bounds
                found[overrides] = (chance, _text(standing, axis, is_high))
    ordered = sorted(found.items(), key=lambda item: item[1][0])
    return [Finding(RULE, text, "Widen it", overrides) for overrides, (_, text) in ordered]


def _crowded(standing: Standing, axis: Axis, is_high: bool) -> float | None:
    """The chance that trials at the bound are as good as they are by luck; None if the best do not crowd there."""
    edge = axis.edge(is_high)
    numbers = dict(_numbers(standing, axis))
    at_edge = {trial for trial, number in numbers.items() if (number >= edge if is_high else number <= edge)}
    if not at_edge or len(at_edge) == len(numbers):
        return None
    best = [trial.number for trial in standing.ranked if trial.number in numbers][: _num_best(standing)]
    num_at_edge = sum(trial in at_edge for trial in best)
    if len(best) < 3 or best[0] not in at_edge or num_at_edge < math.ceil(_SHARE_OF_BEST * len(best)):
        return None
    if any(trial.number in at_edge for trial in standing.bad) and _share_bad(standing, at_edge) > 0.25:
        return None  # what lies beyond would end as badly
    places = standing.places
    return chance_as_good([places[t] for t in at_edge], [places[t] for t in numbers if t not in at_edge])


def _numbers(standing: Standing, axis: Axis) -> Iterator[tuple[int, float]]:
    """(trial, value) of each trial that has one."""
    for trial in (*standing.ranked, *standing.bad):
        number = axis.number(trial.params)
        if number is not None:
            yield trial.number, number


def _num_best(standing: Standing) -> int:
    return max(3, round(math.sqrt(standing.num_ended) / 2))


def _share_bad(standing: Standing, at_edge: set[int]) -> float:
    return sum(trial.number in at_edge for trial in standing.bad) / len(at_edge)


def _text(standing: Standing, axis: Axis, is_high: bool) -> str:
    edge = axis.edge(is_high)
    values = [number for trial in standing.ranked if (number := axis.number(trial.params)) is not None]
    inside = [number >= edge if is_high else number <= edge for number in values]
    streak = inside.index(False) if False in inside else len(inside)
    if streak >= 3:
        who = f"The best {streak} of {standing.num_ended} trials"
    else:
        among = _num_best(standing)
        who = f"{sum(inside[:among])} of the best {among} of {standing.num_ended} trials, and the best one,"
    end, name = "highest" if is_high else "lowest", axis.name
    if axis.values:
        bound = axis.text(axis.high if is_high else axis.low)
        return f"{who} have {name} {bound}, its {end} value."
    bounds = (edge, axis.high) if is_high else (axis.low, edge)
    return f"{who} lie in the {end} tenth of {name} ({axis.text(bounds[0])} to {axis.text(bounds[1])})."
