"""The clock of a journal: Unix seconds that nobody can set, so that the seconds between two events are true."""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_S = 5.0
"""A wall clock that went so much further, or less far, than the steady one since the last look was set. What keeps a
clock right moves it by less."""


class SteadyClock:
    """Unix seconds, read from the wall clock once; from then on counted by the monotonic clock.

    What it counts is time at work: setting the machine's clock does not change it, and while the machine sleeps it
    stands still (on Linux and macOS; Windows may count some of that).

    Args:
        wall: Unix seconds by the machine's clock, which may be set.
        steady: seconds by a clock that only goes forward.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._ahead_s = self._seen_ahead_s = wall() - steady()

    def now(self) -> float:
        """Unix seconds, as if the machine's clock had not been set since this one was made."""
        return self._ahead_s + self._steady()

    def jumped_s(self) -> float:
        """By how much the machine's clock was set since the last call, forward or (negative) back; 0 if it was not.

        A machine that slept looks the same: its clock went on, and the work did not.
        """
        ahead_s = self._wall() - self._steady()
        by_s, self._seen_ahead_s = ahead_s - self._seen_ahead_s, ahead_s
        return by_s if abs(by_s) > JUMP_S else 0.0
