"""When the recorder works: while its driver lives and a bounded time more, through outages, one at a time a sweep."""

from __future__ import annotations

import logging
import math
import re
import threading
import time

import filelock

from tuner.errors import TrackingError, UsageError
from tuner.paths import SweepFolder
from tuner.recording.recorder import Recorder

_log = logging.getLogger("tuner.recording")

POLL_S = 1.0
BACKOFF_S = 1.0
BACKOFF_MAX_S = 15.0
FOREGROUND_PATIENCE_S = 60.0


class Shutdown:
    """Whether the recorder was asked to end, and how much longer it may drain the journal."""

    def __init__(self, drain_s: float) -> None:
        self._drain_s = drain_s
        self._asked = threading.Event()
        self._ends_at = math.inf

    def ask(self) -> None:
        if not self._asked.is_set():
            self._ends_at = time.monotonic() + self._drain_s
            self._asked.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def expired(self) -> bool:
        return time.monotonic() >= self._ends_at

    def wait(self, wait_s: float) -> None:
        """Sleeps, cut short when it is asked to end or the time to drain is over."""
        if self.asked:
            time.sleep(max(0.0, min(wait_s, self._ends_at - time.monotonic())))
        else:
            self._asked.wait(wait_s)


class Outage:
    """A time in which MLflow takes nothing: how long to wait, and a line in the log only when there is news."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._delay_s = BACKOFF_S
        self._logged = ""

    @property
    def lasted_s(self) -> float:
        return 0.0 if self._since is None else time.monotonic() - self._since

    def goes_on(self, error: TrackingError, backlog: int) -> float:
        """Notes another failure; returns the seconds to wait."""
        self._since = self._since or time.monotonic()
        news = re.sub(r" at 0x[0-9a-f]+", "", str(error))
        if news != self._logged:
            _log.warning("MLflow takes nothing now, %d events wait: %s", backlog, news)
            self._logged = news
        delay_s, self._delay_s = self._delay_s, min(2 * self._delay_s, BACKOFF_MAX_S)
        return delay_s

    def is_over(self) -> None:
        if self._since is not None:
            _log.warning("MLflow is back after %.0f s", self.lasted_s)
            self._since, self._delay_s, self._logged = None, BACKOFF_S, ""


def follow(recorder: Recorder, shutdown: Shutdown, patience_s: float = math.inf) -> int:
    """Records until asked to end, then what the journal holds; returns the number of events left over.

    Raises:
        TrackingError: MLflow took nothing for `patience_s`.
        StorageError, OSError: the journal cannot be read.
    """
    outage = Outage()
    while True:
        asked = shutdown.asked  # seen before the last read: whoever asked has written everything by then
        try:
            recorder.read()
            while recorder.step():
                outage.is_over()
                if shutdown.expired:
                    return recorder.backlog
            outage.is_over()
            if asked:
                return 0
            shutdown.wait(POLL_S)
        except TrackingError as error:
            delay_s = outage.goes_on(error, recorder.backlog)
            if outage.lasted_s >= patience_s:
                raise
            if shutdown.expired:
                return recorder.backlog
            shutdown.wait(delay_s)


def serve(folder: SweepFolder, shutdown: Shutdown) -> int:
    """Records a sweep beside its driver; returns the number of events left over. Waits for another recorder of it."""
    lock = filelock.FileLock(folder.recorder_lock)
    while not _acquired(lock, POLL_S):
        if shutdown.expired:
            recorder = Recorder(folder)
            recorder.read()
            return recorder.backlog
    recorder = Recorder(folder)
    try:
        return follow(recorder, shutdown)
    finally:
        recorder.close()
        lock.release()


def record(folder: SweepFolder, uri: str | None = None) -> int:
    """Records in the foreground what MLflow does not have yet; returns the number of events recorded now.

    `uri` replaces the spec's tracking URI.

    Raises:
        UsageError: another recorder is at work on the sweep.
        TrackingError: MLflow took nothing for a minute; what it has stays.
        StorageError, OSError: the journal cannot be read.
    """
    lock = filelock.FileLock(folder.recorder_lock)
    if not _acquired(lock, 0):
        raise UsageError(f"sweep {folder.name}: a recorder is at work on it; wait for it, or stop the sweep first")
    shutdown = Shutdown(math.inf)
    shutdown.ask()
    try:
        recorder = Recorder(folder, uri)
        try:
            follow(recorder, shutdown, FOREGROUND_PATIENCE_S)
        finally:
            recorder.close()
        return recorder.num_recorded
    finally:
        lock.release()


def _acquired(lock: filelock.BaseFileLock, timeout_s: float) -> bool:
    try:
        lock.acquire(timeout=timeout_s)
    except filelock.Timeout:
        return False
    return True
