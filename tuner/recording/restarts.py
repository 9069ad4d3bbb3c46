"""When a recorder that died is restarted, and when that is given up."""

from __future__ import annotations

WAIT_S = 1.0
WAIT_MAX_S = 60.0
STEADY_S = 60.0
"""A recorder that ran this long works: the next death is treated as the first."""
IN_VAIN_MAX = 10
"""Restarts without progress before giving up; with the waits between them about five minutes."""


class Restarts:
    """The back-off of one driver's recorders."""

    def __init__(self) -> None:
        self._wait_s = WAIT_S
        self._num_in_vain = 0
        self._seq = 0

    def wait_s(self, lived_s: float, seq: int) -> float | None:
        """The seconds to wait after a death; None to give up.

        Args:
            lived_s: how long the recorder that died had run.
            seq: how many events are recorded.
        """
        if lived_s >= STEADY_S:
            self._wait_s = WAIT_S
        if lived_s >= STEADY_S or seq != self._seq:
            self._num_in_vain = 0
        self._seq = seq
        self._num_in_vain += 1
        if self._num_in_vain > IN_VAIN_MAX:
            return None
        wait_s, self._wait_s = self._wait_s, min(2 * self._wait_s, WAIT_MAX_S)
        return wait_s
