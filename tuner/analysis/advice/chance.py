"""How likely it is that chance alone made what a rule sees.

SciPy has both tests, but `tuner show --json` is asked again and again, and its import takes more than half a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def chance_as_good(places: Sequence[float], others: Sequence[float]) -> float:
    """The chance of places as low as these (1 is best) among the others, if they were like them (Mann and Whitney).

    By the normal approximation, with ties.
    """
    few, rest = len(places), len(others)
    if not few or not rest:
        return 1.0
    every = [*places, *others]
    total = few + rest
    mean = few * math.fsum(every) / total
    squares = math.fsum(place * place for place in every) - math.fsum(every) ** 2 / total
    variance = few * rest / (total * (total - 1)) * squares
    if variance <= 0:
        return 1.0
    return 0.5 * math.erfc((mean - math.fsum(places) - 0.5) / math.sqrt(2 * variance))


def chance_as_many(hits: int, drawn: int, marked: int, total: int) -> float:
    """The chance that so many or more of the drawn are among the marked, if they are drawn at random (Fisher)."""
    ways = sum(math.comb(marked, k) * math.comb(total - marked, drawn - k) for k in range(hits, min(drawn, marked) + 1))
    return ways / math.comb(total, drawn)
