"""The driver's handle on its recorder: starts it, watches it, and replaces it where it dies. Imports no mlflow."""

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
"""A recorder without a sign of life for so long is replaced. It beats every 2 s from a thread of its own, whatever
MLflow does, so that only a process that does not run at all misses thirty beats: one that is stopped, or starved. To
replace one without need costs a slice of events that is recorded twice, to the same rows."""
LOOK_S = 0.25
LAST_WAITS_S = (1.0, 2.0, 4.0)
"""Before another one is started for a recorder that was killed at the sweep's end."""
_JOIN_S = 5.0


class RecorderProcess:
    """The recorder of a sweep as a process of its own, which outlives its driver until all is recorded.

    From `start` to `finish` or `kill` there is one at most at any time, and another one where it died or does not run.
    """

    def __init__(self, folder: SweepFolder, tell: Callable[[str], None] = lambda line: None) -> None:
        """`tell` gets a line for each death, and what the recorder has to say; in any thread."""
        self._folder, self._tell = folder, tell
        self._life: Life | None = None
        self._num_restarts = 0
        self._unstartable = ""
        self._lock = threading.Lock()
        self._leaving = threading.Event()
        self._watch: threading.Thread | None = None

    @property
    def pid(self) -> int | None:
        """Its number; None before it was started."""
        return self._life.pid if self._life else None

    def start(self) -> None:
        """Starts it; returns at once. Where it cannot be started now, no sweep waits for it."""
        self._leaving = threading.Event()
        self._begin(self._leaving)
        self._watch = threading.Thread(target=self._look_after, args=(self._leaving,), name="recorder", daemon=True)
        self._watch.start()

    def finish(self, timeout_s: float = math.inf) -> bool:
        """Lets it record the rest; True if MLflow has everything.

        It goes on as long as MLflow takes anything, and gives up by itself after DRAIN_PATIENCE_S in which it took
        nothing; after `timeout_s` it goes on without the driver.
        """
        ends_at = time.monotonic() + timeout_s
        self._end_watch(min(timeout_s + 1.0, _JOIN_S))
        if self._life is None or not self._life.is_alive:
            self._begin_another()  # it died, or never lived
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
        """Ends it at once; what it did not record, the next one does."""
        self._end_watch()
        if self._life is not None:
            self._life.kill()
            self._life = None

    def _begin_another(self) -> None:
        self._num_restarts += 1
        self._begin(threading.Event())

    def _begin(self, leaving: threading.Event) -> None:
        """Starts a recorder, unless whoever wants it has left meanwhile."""
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
            self._watch.join(join_s)  # longer only where storage hangs as it notes a death

    def _look_after(self, leaving: threading.Event) -> None:
        """The watch: replaces what died, until the driver leaves or it is in vain."""
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
        """Waits a moment for what it says; false if it is dead. One that is silent for too long is killed."""
        if life.silent_s > SILENT_S:
            life.kill_silent()
        return life.hear(LOOK_S)

    def _note(self, end: str, wait_s: float | None) -> None:
        """Tells of a death, the user and whoever looks at the sweep."""
        if wait_s is None:
            what = f"the recorder {end}, as those before it: MLflow gets nothing more until the sweep's end"
        else:
            what = f"the recorder {end}: another one starts in {wait_s:.0f} s and catches up"
        note_death(self._folder, self._num_restarts, what)
        self._tell(what)
