"""Ranges and values as other tools have them, in our words: quantized, logarithmic, normal."""

from __future__ import annotations

import math
from typing import Any

from tuner.base.words import same
from tuner.spec.fields import MAX_COUNT

Note = tuple[str, str]
"""The part of a parameter that something is said about, or nothing; and what."""
_MOST_STEPS = 1e12


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(*values: Any) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def between(low: Any, high: Any, *, step: Any = None, is_log: bool = False, is_real: bool = False) -> Any:
    """A range in our words; a constant where its bounds are the same.

    Args:
        step: values are multiples of it, as other tools round them; ours are counted from the low bound.
        is_real: whole bounds, too, make real numbers.

    Raises:
        ValueError: the bounds are no numbers, or no range; the message is a rule.
    """
    if not (is_number(low) and is_number(high)):
        raise ValueError("needs two bounds that are numbers")
    if low > high:
        raise ValueError(f"needs a lower bound below its upper one, but got {low:g} and {high:g}")
    if is_log and low <= 0 and step is None:
        raise ValueError(f"needs bounds above 0 on a logarithmic scale, but got {low:g}")
    fields = {"low": low, "high": high}
    if step is not None:
        fields = _multiples(low, high, step, is_log)
    elif is_real:
        fields = {"low": float(low), "high": float(high)}
    if fields["low"] == fields["high"]:
        return fields["low"]
    return fields | ({"scale": "log"} if is_log else {})


def _multiples(low: float, high: float, step: Any, is_log: bool) -> dict[str, Any]:
    """From the first multiple of a step to the last, to which other tools round what they draw."""
    if not is_number(step) or step <= 0:
        raise ValueError("needs a step above 0")
    if not max(abs(low), abs(high)) / step < _MOST_STEPS:
        raise ValueError(f"needs a larger step than {step:g}")
    first, last = round(low / step), round(high / step)
    if is_log:
        first = max(1, first)
    if first > last:
        raise ValueError(f"needs a multiple of {step:g} between its bounds")
    bounds = {"low": _multiple(first, step), "high": _multiple(last, step)}
    return bounds if first == last or step == 1 else bounds | {"step": tidy(step)}


def _multiple(count: int, step: float) -> int | float:
    return count * int(step) if float(step).is_integer() else float(f"{count * step:.12g}")


def tidy(value: float) -> int | float:
    """Whole numbers as such, others without what rounding left behind."""
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(f"{value:.12g}")


def rounded(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")


def powers(low: Any, high: Any) -> tuple[float, float]:
    """Bounds of which the natural logarithms were written.

    Raises:
        ValueError: they are no numbers, or too large.
    """
    if not (is_number(low) and is_number(high) and max(abs(low), abs(high)) < 700):
        raise ValueError("needs two bounds that are logarithms")
    return rounded(math.exp(low)), rounded(math.exp(high))


def around(mu: Any, sigma: Any, *, step: Any = None, is_log: bool = False) -> tuple[Any, str]:
    """A range in place of a normal or log-normal distribution, and what is to be said about it.

    Raises:
        ValueError: it has no such parameters.
    """
    if not (is_number(mu) and is_number(sigma) and sigma > 0):
        raise ValueError("needs a number mu and a sigma above 0")
    low, high = mu - 2 * sigma, mu + 2 * sigma
    if is_log:
        low, high = powers(low, high)
    parameter = between(rounded(low), rounded(high), step=step, is_log=is_log, is_real=step is None)
    kind = "log-normal" if is_log else "normal"
    how = "evenly on a logarithmic scale" if is_log else "evenly"
    return parameter, f"there are no {kind} distributions here; searched {how} over mu ± 2 sigma"


def without_repeats(values: list[Any]) -> list[Any]:
    """Values in order, each once."""
    found: list[Any] = []
    for value in values:
        if not any(same(value, other) for other in found):
            found.append(value)
    return found


def count_of(value: Any) -> int | None:
    """A value as a number of trials or epochs; None if it is none."""
    return int(value) if is_number(value) and 1 <= value <= MAX_COUNT else None
