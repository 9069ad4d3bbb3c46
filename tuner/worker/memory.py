"""What a worker process holds for itself, and when it has grown too large."""

from __future__ import annotations

import math

import psutil

GROWTH = 1.25
"""A process is replaced only once it holds this many times what it held at first: a fresh one would hold as much."""


class Memory:
    """What a process holds for itself, and whether that has grown too large. Shared data do not count."""

    def __init__(self, limit_bytes: float | None) -> None:
        self._process = psutil.Process()
        self._limit_bytes = limit_bytes
        self._first_bytes = math.inf
        self.used_bytes = 0

    def look(self) -> None:
        """To be called after each epoch; the first call shows what the process needs at least."""
        info = self._process.memory_info()
        self.used_bytes = info.rss - getattr(info, "shared", 0)
        self._first_bytes = min(self._first_bytes, self.used_bytes)

    @property
    def is_outgrown(self) -> bool:
        limit_bytes = self._limit_bytes
        return limit_bytes is not None and self.used_bytes > max(limit_bytes, GROWTH * self._first_bytes)
