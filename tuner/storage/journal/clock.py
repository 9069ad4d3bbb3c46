"""The clock of a journal: Unix seconds that nobody can set, so that the seconds between two events are correct."""

from __future__ import annotations

import time
from collections.abc import Callable

JUMP_S = 5.0
"""If the wall clock and the steady clock differ by this much more than at the last look, the wall clock was set.
Synchronization moves a clock by less."""


class SteadyClock:
    """Unix seconds, read from the wall clock once and then counted by the monotonic clock.

    Setting the machine's clock does not change it. It stops while the machine sleeps (on Linux and macOS; Windows may
    count some of that time).

    Args:
        wall: Unix seconds by the machine's clock, which may be set.
        steady: seconds by a monotonic clock.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._ahead_s = self._seen_ahead_s = wall() - steady()

    def now(self) -> float:
        """Unix seconds, as if the machine's clock had not been set since this object was created."""
        return self._ahead_s + self._steady()

    def jumped_s(self) -> float:
        """By how much the machine's clock was set since the last call; negative if back, 0 if it was not set.

        Sleep looks the same: the wall clock advances, and this clock does not.
        """
        ahead_s = self._wall() - self._steady()
        by_s, self._seen_ahead_s = ahead_s - self._seen_ahead_s, ahead_s
        return by_s if abs(by_s) > JUMP_S else 0.0
