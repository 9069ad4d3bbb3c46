"""Runs the recorder, one at a time for each sweep: while its driver lives and afterwards as long as MLflow accepts
anything, through outages."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

import filelock

from tuner.base.errors import StorageError, TrackingError, UsageError
from tuner.recording.attempt import HangingError
from tuner.recording.cursor import Missing, read_cursor
from tuner.recording.polite import import_in_background
from tuner.recording.reasons import LastingRefusalError
from tuner.recording.recorder import Recorder
from tuner.recording.stopped import end_stopped, stopped_recorders
from tuner.recording.target import RunsLostError
from tuner.storage import SweepFolder
from tuner.storage.commands import program, storage_option

_log = logging.getLogger("tuner.recording")

POLL_S = 1.0
REMOTE_POLL_S = 5.0
"""Seconds between polls of a journal on an object store."""
SHARE = 0.005
"""Of a processor, what the recorder of a running sweep takes: it waits longer after more work, so that short epochs and
those of many slots are sent together."""
PAUSE_MAX_S = 5.0
"""The longest such wait, as people watch their curves."""
BACKOFF_S = 1.0
BACKOFF_MAX_S = 15.0
"""The longest time between the starts of two attempts in an outage, within which its end is noticed."""
DRAIN_PATIENCE_S = 20.0
STOPPED_S = 5.0
"""How long a recorder waits for one of an earlier driver that was stopped by a signal."""
FOREGROUND_PATIENCE_S = 60.0
PAGE_WAITS_S = 5.0
"""How long a recorder beside a driver waits for the report that the driver writes; less than it waits for uploads."""


class Shutdown:
    """Whether the recorder was asked to end, and whether it may still try to record the rest.

    It may as long as something was recorded within the last `patience_s`.
    """

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._asked = threading.Event()
        self._progress_at = math.inf

    def ask(self) -> None:
        if not self._asked.is_set():
            self._progress_at = time.monotonic()
            self._asked.set()

    def progressed(self) -> None:
        if self.asked:
            self._progress_at = time.monotonic()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def left_s(self) -> float:
        """Seconds until it must give up, unless something is recorded before."""
        return self._progress_at + self.patience_s - time.monotonic() if self.asked else math.inf

    @property
    def expired(self) -> bool:
        return self.left_s <= 0

    def wait(self, wait_s: float) -> None:
        """Sleeps, until it is asked to end or must give up."""
        if self.asked:
            time.sleep(max(0.0, min(wait_s, self.left_s)))
        else:
            self._asked.wait(wait_s)


class Outage:
    """A period in which nothing is recorded: says how long to wait, and logs a line only if there is news."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._period_s = BACKOFF_S
        self.reason = ""

    def goes_on(self, error: Exception, recorder: Recorder, attempt_s: float) -> float:
        """Notes a failure after an attempt of `attempt_s`; returns the seconds to wait."""
        self._since = self._since or time.monotonic()
        if str(error) != self.reason:
            self.reason = str(error)
            if isinstance(error, RunsLostError):
                recorder.note_news(self.reason)
            else:
                what = "MLflow accepts nothing" if isinstance(error, TrackingError) else "the journal cannot be read"
                _log.warning("%s, %d events wait: %s", what, recorder.backlog, self.reason)
                recorder.note_trouble(self.reason)
        wait_s = max(BACKOFF_S, self._period_s - attempt_s)
        self._period_s = min(2 * self._period_s, BACKOFF_MAX_S)
        return wait_s

    def end(self, recorder: Recorder) -> None:
        if self._since is not None:
            _log.warning("recording again after %.0f s", time.monotonic() - self._since)
            self._since, self._period_s, self.reason = None, BACKOFF_S, ""
        if recorder.cursor.trouble:  # may be from an earlier recorder
            recorder.note_trouble("")


def follow(
    recorder: Recorder, shutdown: Shutdown, poll_s: float, tell: Callable[[int], None] = lambda left: None
) -> None:
    """Records until asked to end, and then the rest of the journal.

    Args:
        tell: called with the number of events that are left.

    Raises:
        TrackingError: it was asked to end, and MLflow has accepted nothing for too long, or never will.
        HangingError: a request hangs; a new process is needed.
        StorageError, OSError: the journal cannot be read.
    """
    outage = Outage()
    while True:
        asked, began_at = shutdown.asked, time.monotonic()  # whoever asks has already written everything
        spent_s = time.process_time()
        try:
            recorder.read()
            while recorder.attempt(recorder.step, lambda: shutdown.expired):
                began_at = time.monotonic()
                outage.end(recorder)
                shutdown.progressed()
                recorder.save_cursor_in_time()
                tell(recorder.backlog)
            outage.end(recorder)
            recorder.save_cursor_in_time()
            if asked:
                return
            shutdown.wait(pause_s(poll_s, time.process_time() - spent_s))
        except HangingError as error:
            reason = outage.reason or f"{recorder.public_uri}: {error}"
            recorder.note_trouble(reason)
            raise HangingError(reason) from error
        except TrackingError as error:
            if asked and isinstance(error, LastingRefusalError):
                recorder.note_trouble(str(error))
                raise
            wait_s = outage.goes_on(error, recorder, time.monotonic() - began_at)
            if shutdown.expired:
                raise
            shutdown.wait(wait_s)
        except (StorageError, OSError) as error:
            if asked:
                raise
            shutdown.wait(outage.goes_on(error, recorder, 0.0))


def pause_s(poll_s: float, spent_s: float) -> float:
    """How long to wait for more events after work that took so many seconds of a processor."""
    return max(poll_s, min(spent_s / SHARE, PAUSE_MAX_S))


def serve(
    folder: SweepFolder,
    shutdown: Shutdown,
    restarts: int = 0,
    tell_news: Callable[[str], None] = lambda news: None,
    token: str = "",
) -> None:
    """Records a sweep beside its driver. Waits for another recorder of the sweep to end.

    Args:
        restarts: how often the driver had to start another recorder.
        tell_news: called with a line for the user if all records had to be recreated.
        token: of the driver's own process that forks others; empty if there is none.

    Raises:
        TrackingError: not everything is in MLflow; the message says what is missing and why.
        HangingError: a request hangs, and the driver lives; a new process is needed.
        StorageError, OSError: the journal cannot be read, or one of the sweep's files is a link.
    """
    folder.check()
    lock = filelock.FileLock(folder.recorder_lock)
    seq, waits_since = -1, time.monotonic()
    while not _acquired(lock, POLL_S):
        if seq != (seq := read_cursor(folder).seq):
            shutdown.progressed()
        if time.monotonic() - waits_since > STOPPED_S:
            for pid in end_stopped(folder):
                tell_news(f"an earlier driver's recorder, process {pid}, was stopped and held the sweep: killed")
        if shutdown.expired:
            recorder = Recorder(folder)
            recorder.read()
            raise _unfinished(folder, recorder, "another recorder is already running")
    try:
        recorder = Recorder(folder, tell_news=tell_news, page_waits_s=PAGE_WAITS_S, token=token)
        recorder.take_over(restarts)
        import_in_background()
        shutdown.progressed()
        try:
            follow(recorder, shutdown, REMOTE_POLL_S if folder.is_remote else POLL_S)
        except TrackingError as error:
            if isinstance(error, HangingError) and not shutdown.expired:
                raise
            raise _unfinished(folder, recorder, str(error)) from error
        finally:
            recorder.save_cursor()
        recorder.close()
    finally:
        lock.release()


def record(
    folder: SweepFolder,
    uri: str | None = None,
    tell: Callable[[int], None] = lambda left: None,
    tell_news: Callable[[str], None] = lambda news: None,
) -> int:
    """Records what is missing in MLflow, in the foreground; returns the number of events that were recorded.

    Args:
        uri: overrides the spec's tracking URI.
        tell: called from time to time with the number of events that are left.
        tell_news: called with a line for the user if all records had to be recreated.

    Raises:
        UsageError: another recorder of the sweep is running.
        TrackingError: MLflow accepted nothing for a minute, or never will; what was recorded stays.
        StorageError, OSError: the journal cannot be read.
    """
    lock = filelock.FileLock(folder.recorder_lock)
    if not _acquired(lock, 0):
        where = f"sweep {folder.name}"
        for pid in stopped_recorders(folder):
            raise UsageError(f"{where}: its recorder, process {pid}, is stopped; end it first: kill -9 {pid}")
        raise UsageError(f"{where}: a recorder is already running; wait for it, or stop the sweep first")
    shutdown = Shutdown(FOREGROUND_PATIENCE_S)
    shutdown.ask()
    try:
        recorder = Recorder(folder, uri, tell_news=tell_news)
        recorder.take_over()
        try:
            follow(recorder, shutdown, POLL_S, tell)
        except TrackingError as error:
            raise _unfinished(folder, recorder, str(error)) from error
        finally:
            recorder.save_cursor()
        recorder.close()
        return recorder.num_recorded
    finally:
        lock.release()


def _unfinished(folder: SweepFolder, recorder: Recorder, reason: str) -> TrackingError:
    """The error that says what is missing, why, and which command records it."""
    missing = Missing(recorder.backlog, recorder.num_trials_behind, reason)
    again = f"{program()} record {folder.name}{storage_option(folder.root)}"
    return TrackingError(f"sweep {folder.name}: {missing}: {reason}. Nothing is lost; finish with: {again}")


def _acquired(lock: filelock.BaseFileLock, timeout_s: float) -> bool:
    try:
        lock.acquire(timeout=timeout_s)
    except filelock.Timeout:
        return False
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{lock.lock_file}: cannot be written: {reason}; nothing acknowledged is lost") from error
    return True
