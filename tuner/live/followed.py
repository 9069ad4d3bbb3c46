"""One sweep that is followed: its journal is read from where the last look ended."""

from __future__ import annotations

import threading
import time
from typing import Any, Literal

from tuner.base.errors import StorageError, TunerError
from tuner.base.outcomes import SweepState
from tuner.review import status
from tuner.storage import SweepFolder
from tuner.storage.journal import read_holder
from tuner.storage.journal.file import FileReader
from tuner.storage.journal.history import reader_of
from tuner.storage.journal.segments import SegmentReader
from tuner.sweep import Sweep

LOOK_S = 1.0
"""A journal is looked at once in so many seconds at most, however many pages are open."""
REMOTE_LOOK_S = 10.0
"""The same on an object store, where a look costs requests."""
DAMAGED_LOOK_S = 30.0
"""The same for a journal that could not be read, which is then read from its beginning."""
KEPT_S = 60.0
"""A sweep that has ended is kept in memory for so long after its page was last asked for."""


class Followed:
    """A sweep and the state that its journal has led to.

    Attributes:
        lock: held by whoever reads or changes the folded sweep.
        state: as `tuner list` has it, or `damaged`.
        error: why the journal cannot be read; empty if it can.
        summary: one line of the list, as `tuner list --json` has it; None before the first look.
        num_read: events that were read so far.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.state: SweepState | Literal["damaged"] = "damaged"
        self.error = ""
        self.summary: dict[str, Any] | None = None
        self.num_read = 0
        self._reader: FileReader | SegmentReader = reader_of(folder)
        self._sweep: Sweep | None = None
        self._place = ""
        self._looked_at = self._wanted_at = -DAMAGED_LOOK_S

    @property
    def place(self) -> str:
        """Names everything that a page shows: while it stays the same, no page need be made again."""
        return f"{self._place} {self.state}"

    def look(self) -> None:
        """Reads what is new in the journal, if a look is due and nobody else is at work on the sweep."""
        if self._is_due and self.lock.acquire(blocking=self.summary is None):
            try:
                self._look()
            finally:
                self.lock.release()

    def opened(self) -> Sweep | None:
        """The folded sweep, for a page; None if it cannot be read. The caller holds the lock."""
        self._wanted_at = time.monotonic()
        if (self._sweep is None and not self.error) or self._is_due:
            self._look()
        return self._sweep if self.state != "damaged" else None

    @property
    def _is_due(self) -> bool:
        pause = DAMAGED_LOOK_S if self.error else REMOTE_LOOK_S if self.folder.is_remote else LOOK_S
        return time.monotonic() - self._looked_at >= pause

    def _look(self) -> None:
        before = self.place
        is_wanted = time.monotonic() - self._wanted_at < KEPT_S
        try:
            self._read(is_wanted)
            if self._sweep is not None and (self.summary is None or self.error or self.place != before):
                self.summary = status.summary_of(self.folder, self._sweep, self.state)
            self.error = ""
        except (TunerError, OSError) as error:
            self._fail(str(error))
        except Exception as error:  # events that no driver wrote in this order; the other sweeps are shown all the same
            self._fail(f"{type(error).__name__}: {error}")
        if self._sweep is not None and self._sweep.ended is not None and not is_wanted:
            self._sweep = None  # to free its memory; the reader still tells when the sweep is resumed
        self._looked_at = time.monotonic()

    def _read(self, is_wanted: bool) -> None:
        is_held = read_holder(self.folder) is not None  # before the journal, which then has the last word
        if not self._begins_as_read():
            self._restart()
        if self._sweep is None and self._reader.seq:
            if not is_wanted and not self._reader.read():
                return
            self._restart()
        events = self._reader.read()
        if not self._is_as_long():
            self._restart()
            events = self._reader.read()
        self.num_read += len(events)
        sweep = self._sweep if self._sweep is not None else Sweep()
        self._sweep = sweep
        for event in events:
            sweep.apply(event)
        self._place = sweep.place
        if not sweep.num_events:
            raise StorageError(f"{self.folder.path}: its journal is empty")
        self.state = sweep.ended.state if sweep.ended else "running" if is_held else "interrupted"

    def _begins_as_read(self) -> bool:
        """Whether the journal's file still begins with what was read; not if another sweep has taken the name."""
        try:
            if isinstance(self._reader, FileReader) and self._reader.seq:
                self._reader.check_beginning()
        except StorageError:
            return False
        return True

    def _is_as_long(self) -> bool:
        """Whether the journal's objects, as last listed, still reach as far as what was read."""
        if not isinstance(self._reader, SegmentReader) or not self._reader.read_from:
            return True
        newest = max((one.last or one.first for one in self._reader.listed), default=-1)
        return newest >= self._reader.read_from[-1].first

    def _fail(self, message: str) -> None:
        self._restart()
        self.error, self.state, self._place = message, "damaged", message
        self.summary = status.summary_of(self.folder, Sweep(), "damaged")

    def _restart(self) -> None:
        """Forgets what was read."""
        self._reader, self._sweep = reader_of(self.folder), None
