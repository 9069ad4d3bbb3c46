"""The rules of the batch-size ladder: which size comes next, when it ends, and which size is fast enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FIRST = 8
GAIN_MIN = 1.1
"""A doubling that trains less than this many times the examples a second gains nothing."""
DOUBTFUL = 0.7
"""A size that trains less than this many times the examples a second of a smaller one is measured again."""
NEARLY = 0.9
"""Of the best throughput: enough for the smallest size that has it to be named."""


@dataclass(frozen=True)
class Rung:
    """One size that was tried: its examples a second, or why it does not fit."""

    batch_size: int
    examples_per_s: float | None
    reason: str = ""


def sizes(num_examples: int, first: int = FIRST) -> list[int]:
    """Powers of two up to the number of examples."""
    begin = min(first, 1 << (max(1, num_examples).bit_length() - 1))
    made = [begin]
    while made[-1] * 2 <= num_examples:
        made.append(made[-1] * 2)
    return made


def ended(rungs: Sequence[Rung], num_examples: int) -> str:
    """Why no larger size is tried; empty to go on. Two doublings in a row that gain nothing end it."""
    if not rungs:
        return ""
    last = rungs[-1]
    if last.examples_per_s is None:
        return f"a batch of {last.batch_size} does not fit"
    if last.batch_size * 2 > num_examples:
        return f"a larger one would hold more than the {num_examples} training examples"
    speeds = [rung.examples_per_s or 0.0 for rung in rungs]
    if len(speeds) >= 3 and max(speeds[-2:]) < GAIN_MIN * max(speeds[:-2]):
        return "the throughput stopped growing"
    return ""


def is_doubtful(rungs: Sequence[Rung], examples_per_s: float) -> bool:
    """Whether a size is so much slower than a smaller one that something else must have slowed it down."""
    return any(examples_per_s < DOUBTFUL * (rung.examples_per_s or 0.0) for rung in rungs)


def fastest(rungs: Sequence[Rung]) -> int | None:
    """The smallest size whose throughput is nearly the best."""
    speeds = {rung.batch_size: rung.examples_per_s for rung in rungs if rung.examples_per_s is not None}
    if not speeds:
        return None
    return min(size for size, speed in speeds.items() if speed >= NEARLY * max(speeds.values()))


def largest(rungs: Sequence[Rung]) -> int | None:
    """The largest size that was seen to fit."""
    return max((rung.batch_size for rung in rungs if rung.examples_per_s is not None), default=None)
