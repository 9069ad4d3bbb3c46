"""Epochs from metrics that a script logs one by one: complete once the objective is there and the next begins."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from trainables.expressions import with_value_of

QUIET_S = 1.0
"""An epoch that has the objective is complete if nothing more is logged for so long."""


class LoggedEpochs:
    """Takes metrics, and makes epochs of them. Another thread logs than that which takes epochs.

    Metrics belong to the epoch in which the objective is logged next, or was logged with the same step just before.

    Args:
        objective: a metric's name, or an expression of them.
        on_epoch: called when an epoch is complete.
    """

    def __init__(self, objective: str, on_epoch: Callable[[], None]) -> None:
        self._objective, self._on_epoch = objective, on_epoch
        self._lock = threading.Lock()
        self._metrics: dict[str, float] = {}
        self._step: int | None = None
        """That of the objective, once the epoch has it."""
        self._complete: deque[dict[str, float]] = deque()
        self._timer: threading.Timer | None = None

    def log(self, name: str, value: float, step: int) -> None:
        """Takes one metric."""
        with self._lock:
            if self._step is not None and (step != self._step or name in self._metrics):
                self._close()
            self._metrics[name] = value
            if self._step is None and self._objective in with_value_of(self._objective, self._metrics):
                self._step = step
            self._wait()

    def flush(self) -> None:
        """Nothing more is logged: an epoch that has the objective is complete."""
        with self._lock:
            if self._step is not None:
                self._close()
            self._wait()

    def take(self) -> dict[str, float] | None:
        """The next complete epoch; None if there is none."""
        with self._lock:
            return self._complete.popleft() if self._complete else None

    def take_rest(self) -> dict[str, float]:
        """All metrics so far, of whatever epoch, for one that is reported in another way."""
        with self._lock:
            found: dict[str, float] = {}
            for metrics in (*self._complete, self._metrics):
                found |= metrics
            self._complete.clear()
            self._metrics, self._step = {}, None
            return found

    @property
    def names(self) -> list[str]:
        """What has been logged since the last epoch."""
        with self._lock:
            return list(self._metrics)

    def _close(self) -> None:
        self._complete.append(self._metrics)
        self._metrics, self._step = {}, None
        self._on_epoch()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._step is not None:
            self._timer = threading.Timer(QUIET_S, self.flush)
            self._timer.daemon = True
            self._timer.start()
