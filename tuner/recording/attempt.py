"""Attempts that cannot hang forever, whatever they wait for.

HTTP requests have a time limit, but the network connection of a database has none, and a server may send its answer one
byte at a time. So an attempt runs in a thread and is abandoned when it hangs. What it holds is not used again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from tuner.base.errors import TrackingError

_T = TypeVar("_T")

HANGS_S = 90.0
"""A request that takes longer than this hangs. Longer than MLflow's limit for requests and SQLite's for locks."""
_LOOK_S = 0.1


class HangingError(TrackingError):
    """An attempt was abandoned; its thread and connections may still hang."""


class Pulse:
    """Beats after each request that was answered."""

    def __init__(self) -> None:
        self.beat()

    def beat(self) -> None:
        self._beat_at = time.monotonic()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._beat_at


def attempt(work: Callable[[], _T], pulse: Pulse, is_given_up: Callable[[], bool]) -> _T:
    """Runs `work` in a thread, and returns or raises what it does.

    Raises:
        HangingError: no request was answered for HANGS_S, or the caller gave up.
    """
    pulse.beat()
    worker = _Worker(work)
    worker.start()
    while not worker.done.wait(_LOOK_S):
        if pulse.age_s > HANGS_S or is_given_up():
            raise HangingError(f"no answer for {pulse.age_s:.0f} s")
    if worker.error is not None:
        raise worker.error
    return worker.results[0]


class _Worker(threading.Thread, Generic[_T]):
    def __init__(self, work: Callable[[], _T]) -> None:
        super().__init__(daemon=True, name="tuner-recording")
        self._work = work
        self.done = threading.Event()
        self.results: list[_T] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.results.append(self._work())
        except BaseException as error:
            self.error = error
        self.done.set()
