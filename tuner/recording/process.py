"""The driver's handle on its recorder: starts it, watches it, and replaces it if it dies. Does not import mlflow."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from tuner.recording.cursor import read_cursor
from tuner.recording.life import Life
from tuner.recording.restarts import Restarts
from tuner.recording.standing import note_death
from tuner.storage import SweepFolder

SILENT_S = 60.0
"""A recorder without a sign of life for this long is replaced. A thread of it sends a beat every 2 s, whatever MLflow
does, so only a process that does not run at all (stopped or starved) misses thirty beats. Replacing a recorder without
need is harmless: some events are recorded twice, to the same rows."""
LOOK_S = 0.25
LAST_WAITS_S = (1.0, 2.0, 4.0)
"""Seconds before a recorder that was killed at the sweep's end is replaced."""
_JOIN_S = 5.0


class RecorderProcess:
    """The recorder of a sweep as a separate process, which outlives its driver until everything is recorded.

    From `start` to `finish` or `kill` there is at most one at any time; one that dies or hangs is replaced.
    """

    def __init__(self, folder: SweepFolder, tell: Callable[[str], None] = lambda line: None) -> None:
        """`tell` is called with a line for each death, and with the recorder's news, from any thread."""
        self._folder, self._tell = folder, tell
        self._life: Life | None = None
        self._num_restarts = 0
        self._unstartable = ""
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None before it is started."""
        return self._life.pid if self._life else None

    def start(self) -> None:
        """Starts it and returns at once. If it cannot be started, the sweep does not wait for it."""
        self._leaving = threading.Event()
        self._begin(self._leaving)
        self._watch = threading.Thread(target=self._look_after, args=(self._leaving,), name="recorder", daemon=True)
        self._watch.start()

    def finish(self, timeout_s: float = math.inf) -> bool:
        """Lets it record the rest; returns whether everything is in MLflow.

        It continues as long as MLflow accepts anything, and gives up after DRAIN_PATIENCE_S without progress. After
        `timeout_s` it continues without the driver.
        """
        ends_at = time.monotonic() + timeout_s
        self._end_watch(min(timeout_s + 1.0, _JOIN_S))
        if self._life is None or not self._life.is_alive:
            self._begin_another()  # it died, or was never started
        for wait_s in (*LAST_WAITS_S, None):
            life = self._life
            if life is None:
                return False
            life.ask_to_end()
            while self._hear(life):
                if time.monotonic() >= ends_at:
                    return False
            if life.exit_code >= 0 or wait_s is None:
                return life.exit_code == 0
            self._note(life.end, wait_s)
            time.sleep(max(0.0, min(wait_s, ends_at - time.monotonic())))
            self._begin_another()
        return False

    def kill(self) -> None:
        """Kills it; the next recorder records the rest."""
        self._end_watch()
        if self._life is not None:
            self._life.kill()
            self._life = None

    def _begin_another(self) -> None:
        self._num_restarts += 1
        self._begin(threading.Event())

    def _begin(self, leaving: threading.Event) -> None:
        """Starts a recorder, unless the driver is leaving."""
        with self._lock:
            if leaving.is_set():
                return
            try:
                self._life, self._unstartable = Life(self._folder, self._num_restarts, self._tell), ""
            except OSError as error:
                self._life, self._unstartable = None, f"cannot be started: {error.strerror or error}"

    def _end_watch(self, join_s: float = _JOIN_S) -> None:
        with self._lock:
            self._leaving.set()
        if self._watch is not None and self._watch is not threading.current_thread():
            self._watch.join(join_s)  # longer only if storage hangs while a death is noted

    def _look_after(self, leaving: threading.Event) -> None:
        """The watch thread: replaces recorders that die, until the driver leaves or it gives up."""
        restarts = Restarts()
        while not leaving.is_set():
            life, began_at = self._life, time.monotonic()
            while life is not None and not leaving.is_set() and self._hear(life):
                pass
            if leaving.is_set():
                return
            wait_s = restarts.wait_s(time.monotonic() - began_at, read_cursor(self._folder).seq)
            self._note(life.end if life is not None else self._unstartable, wait_s)
            if wait_s is None or leaving.wait(wait_s):
                return
            self._num_restarts += 1
            self._begin(leaving)

    def _hear(self, life: Life) -> bool:
        """Listens for a moment; false if it has ended. Kills it if it is silent for too long."""
        if life.silent_s > SILENT_S:
            life.kill_silent()
        return life.hear(LOOK_S)

    def _note(self, end: str, wait_s: float | None) -> None:
        """Reports a death to the user and in the cursor."""
        if wait_s is None:
            what = f"the recorder {end}, like those before it; nothing more is recorded until the sweep ends"
        else:
            what = f"the recorder {end}; another one starts in {wait_s:.0f} s and catches up"
        note_death(self._folder, self._num_restarts, what)
        self._tell(what)
