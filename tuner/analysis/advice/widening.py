"""How a range or a choice of numbers is widened at one of its ends, as far as that is meaningful."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from tuner.analysis.advice.axes import Axis, rounded
from tuner.analysis.advice.finding import override
from tuner.spec.space import Choice, Float, Int

_FACTOR = 3.0
"""By which a logarithmic range of real numbers grows."""
_FACTOR_INT = 4
"""By which one of whole numbers grows, so that powers of two stay such."""
_BELOW_ONE = ("momentum", "beta", "ema", "label_smoothing", "validation_split")
_DROPOUT_MAX = 0.9
_RATIO_TOLERANCE = 0.01


def widened(axis: Axis, is_high: bool) -> tuple[str, ...]:
    """The overrides that widen a parameter at its high or low end; empty where its natural limit is reached."""
    path, element = f"space.{axis.parameter}", axis.element
    if isinstance(element, Choice):
        value = _next_choice(axis, is_high)
        return () if value is None else (override(f"{path}.choices", _with(element.choices, value)),)
    end = "high" if is_high else "low"
    if element.num is not None:
        value = _next_of_num(axis, element, is_high)
        return () if value is None else (override(f"{path}.{end}", value), override(f"{path}.num", element.num + 1))
    bound = _bound_of_int(axis, element, is_high) if isinstance(element, Int) else _bound(axis, element, is_high)
    return () if bound is None else (override(f"{path}.{end}", bound),)


def _with(choices: list[Any], value: Any) -> list[Any]:
    """The choices and a new one, in their order if they have one."""
    descend = choices == sorted(choices, reverse=True)
    ordered = descend or choices == sorted(choices)
    return sorted([*choices, value], reverse=descend) if ordered else [*choices, value]


def _bound(axis: Axis, element: Float, is_high: bool) -> float | None:
    low, high, width = element.low, element.high, element.high - element.low
    if axis.is_log:
        bound = rounded(high * _FACTOR, 1) if is_high else rounded(low / _FACTOR, 1)
    elif element.step is not None:
        steps = max(1, round(width / element.step / 2)) * element.step
        bound = float(f"{high + steps:.12g}") if is_high else float(f"{low - steps:.12g}")
    else:
        bound = rounded(high + width / 2, 2) if is_high else rounded(low - width / 2, 2)
    if not is_high and low >= 0 and bound <= 0:  # an amount, such as a rate
        bound = 0.0 if low > 0 and not axis.is_log and element.step is None and _may_be_zero(axis.name) else math.nan
    if is_high and _is_share(axis):
        limit = _share_limit(axis)
        bound = min(bound, limit)
        if element.step is not None and bound == limit:
            bound = high + math.floor((limit - high) / element.step + 1e-9) * element.step
            bound = float(f"{bound:.12g}")
    return bound if math.isfinite(bound) and (bound > high if is_high else bound < low) else None


def _bound_of_int(axis: Axis, element: Int, is_high: bool) -> int | None:
    low, high, step = element.low, element.high, element.step
    if axis.is_log:
        bound = high * _FACTOR_INT if is_high else low // _FACTOR_INT
    else:
        reach = max(1, round((high - low) / step / 2)) * step
        bound = high + reach if is_high else low - reach
    if is_high:
        bound -= (bound - low) % step
        return bound if bound > high else None
    floor = 1 if low > 0 else 0 if low == 0 else bound
    bound = max(bound, floor)
    bound += (low - bound) % step
    return bound if bound < low else None


def _next_choice(axis: Axis, is_high: bool) -> Any:
    """The next of choices that rise evenly, or by a factor; None where they do neither."""
    ordered = sorted(axis.element.choices)  # type: ignore[union-attr]
    is_int = all(isinstance(value, int) for value in ordered)
    steps = [b - a for a, b in pairwise(ordered)]
    ratios = [b / a for a, b in pairwise(ordered)] if ordered[0] > 0 else []
    if ratios and (len(ratios) > 1 or _is_power_of_two(ordered)) and _alike(ratios):
        value = ordered[-1] * ratios[-1] if is_high else ordered[0] / ratios[0]
    elif len(steps) > 1 and _alike(steps):
        value = ordered[-1] + steps[-1] if is_high else ordered[0] - steps[0]
    elif ratios and not is_int and ordered[-1] >= 4 * ordered[0]:
        value = ordered[-1] * _FACTOR if is_high else ordered[0] / _FACTOR
    else:
        return None
    if ordered[0] >= 0 and (value < 0 or (value == 0 and not _may_be_zero(axis.name))):
        return None
    if is_int:
        return round(value) if value >= 1 and abs(value - round(value)) < 1e-9 else None
    value = rounded(value, 2)
    return None if is_high and _is_share(axis) and value > _share_limit(axis) else value


def _next_of_num(axis: Axis, element: Float | Int, is_high: bool) -> Any:
    """The next value beyond the end of a range of `num` values, at their distance."""
    distance = 1 / ((element.num or 2) - 1)
    value = axis.at(1 + distance if is_high else -distance)
    if isinstance(element, Int):
        whole = round(value)
        return whole if whole >= 1 and (whole > element.high if is_high else whole < element.low) else None
    value = rounded(value, 3)
    if not is_high and element.low >= 0 and value <= 0:
        return None
    return None if is_high and _is_share(axis) and value > _share_limit(axis) else value


def _is_share(axis: Axis) -> bool:
    """Whether values are shares of a whole, which have 1 as their natural limit: dropout, momentum, a decay."""
    named = any(word in axis.name for word in ("dropout", "decay_rate", *_BELOW_ONE))
    return bool(axis.low >= 0) and axis.high <= 1 and (named or (not axis.is_log and axis.high >= 0.5))


def _share_limit(axis: Axis) -> float:
    """The highest meaningful value of a share."""
    if "dropout" in axis.name:
        return _DROPOUT_MAX
    if any(word in axis.name for word in _BELOW_ONE):
        return rounded(1 - (1 - axis.high) / 2, 4) if axis.high < 0.999 else axis.high
    return 1.0


def _may_be_zero(name: str) -> bool:
    return any(word in name for word in ("dropout", "weight_decay", "smoothing", "noise", "momentum"))


def _is_power_of_two(values: list[Any]) -> bool:
    return all(isinstance(value, int) and value > 0 and value & (value - 1) == 0 for value in values)


def _alike(numbers: list[float]) -> bool:
    return max(numbers) - min(numbers) <= _RATIO_TOLERANCE * abs(max(numbers))
