"""at_bound: the best trials crowd at a bound of a parameter, so that better ones may lie beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuner.analysis.advice.axes import EDGE, Axis, axes
from tuner.analysis.advice.chance import chance_as_good, chance_as_many
from tuner.analysis.advice.finding import Finding
from tuner.analysis.advice.standing import Standing
from tuner.analysis.advice.widening import widened

RULE = "at_bound"
MIN_TRIALS = 12
_CHANCE = 0.06
"""How often the rule may speak of a sweep whose parameters change nothing; shared by all bounds."""
_SHARE_OF_BEST = 0.75
"""At least this share of the best trials lies at the bound, the best one among them."""
_SHARE_BAD = 0.25
"""At most this share of the trials at the bound ended badly."""
_WIDER = 0.2
"""The part of a scale that counts as its end where the outermost part has fewer than three trials."""
_FEWEST = 3


def at_bound(standing: Standing) -> list[Finding]:
    """The bounds at which the best lie, the least likely by chance first."""
    if standing.num_ended < MIN_TRIALS:
        return []
    known = axes(standing.spec.space)
    found: dict[tuple[str, ...], tuple[float, str]] = {}
    for axis in known:
        for is_high in (True, False):
            overrides, crowd = widened(axis, is_high), _crowd(standing, axis, is_high)
            if not overrides or crowd is None or (chance := _chance(standing, crowd)) >= _CHANCE / (2 * len(known)):
                continue
            if overrides not in found or chance < found[overrides][0]:  # the values of a list share their bounds
                found[overrides] = (chance, _text(standing, crowd))
    ordered = sorted(found.items(), key=lambda item: item[1][0])
    return [Finding(RULE, text, "Widen it", overrides) for overrides, (_, text) in ordered]


@dataclass(frozen=True)
class Crowd:
    """The trials at one end of a parameter."""

    axis: Axis
    is_high: bool
    share: float
    """Of the scale, from the end."""
    inside: dict[int, bool]
    """Whether a trial lies there; of all trials that have a value, the best first."""


def _crowd(standing: Standing, axis: Axis, is_high: bool) -> Crowd | None:
    """Those at the end, where most of the best are, the best one in the outermost part; None if they are not."""
    for share in (EDGE, _WIDER):
        crowd = _within(standing, axis, is_high, share)
        inside = [trial for trial, is_inside in crowd.inside.items() if is_inside]
        if len(inside) >= _FEWEST or axis.values:
            break
    best = list(crowd.inside.items())[: _num_best(standing)]
    num_best = sum(is_inside for _, is_inside in best)
    outermost = _within(standing, axis, is_high, EDGE).inside
    if len(best) < _FEWEST or not outermost[best[0][0]] or num_best < math.ceil(_SHARE_OF_BEST * len(best)):
        return None
    if sum(trial.number in inside for trial in standing.bad) > _SHARE_BAD * len(inside):
        return None  # what lies beyond would end as badly
    return crowd


def _within(standing: Standing, axis: Axis, is_high: bool, share: float) -> Crowd:
    edge = axis.edge(is_high, share)
    numbers = ((trial, axis.number(trial.params)) for trial in (*standing.ranked, *standing.bad))
    inside = {
        trial.number: (number >= edge if is_high else number <= edge) for trial, number in numbers if number is not None
    }
    return Crowd(axis, is_high, share, inside)


def _chance(standing: Standing, crowd: Crowd) -> float:
    """The chance that trials at the end are as good as they are by luck."""
    inside = [standing.places[trial] for trial, is_inside in crowd.inside.items() if is_inside]
    others = [standing.places[trial] for trial, is_inside in crowd.inside.items() if not is_inside]
    first = list(crowd.inside.values())[: len(inside)]
    exactly = chance_as_many(sum(first), len(first), len(inside), len(crowd.inside))
    return min(chance_as_good(inside, others), exactly)


def _num_best(standing: Standing) -> int:
    return max(3, round(math.sqrt(standing.num_ended) / 2))


def _text(standing: Standing, crowd: Crowd) -> str:
    axis, is_high = crowd.axis, crowd.is_high
    inside = list(crowd.inside.values())
    streak = inside.index(False) if False in inside else len(inside)
    if streak >= _FEWEST:
        who = f"The best {streak} of {standing.num_ended} trials"
    else:
        among = _num_best(standing)
        who = f"{sum(inside[:among])} of the best {among} of {standing.num_ended} trials, and the best one,"
    end, name = "highest" if is_high else "lowest", axis.name
    if axis.values:
        bound = axis.text(axis.high if is_high else axis.low)
        return f"{who} have {name} {bound}, its {end} value."
    edge = axis.edge(is_high, crowd.share)
    bounds = (edge, axis.high) if is_high else (axis.low, edge)
    part = "tenth" if crowd.share == EDGE else "fifth"
    return f"{who} lie in the {end} {part} of {name} ({axis.text(bounds[0])} to {axis.text(bounds[1])})."
