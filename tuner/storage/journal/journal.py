"""The single writer of a sweep's journal, and its readers, on a file system or an object store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from tuner.base.errors import StorageError
from tuner.storage import SweepFolder
from tuner.storage.journal.clock import SteadyClock
from tuner.storage.journal.file import FileLog, first_of_file, lines_of_file
from tuner.storage.journal.history import History, reader_of
from tuner.storage.journal.lease import Lease
from tuner.storage.journal.lines import LINE_BYTES_MAX
from tuner.storage.journal.segments import SegmentLog, first_of_segments, lines_of_segments
from tuner.sweep import Sweep
from tuner.sweep import events as ev

_E = TypeVar("_E", bound=ev.AnyEvent)


class Journal:
    """The single writer of a sweep's journal. Holds the lease until `close`. Thread-safe.

    Attributes:
        events: all events of the journal, including those appended here.
    """

    def __init__(
        self,
        folder: SweepFolder,
        clock: SteadyClock | None = None,
        on_wait: Callable[[str], None] | None = None,
        known: History | None = None,
    ) -> None:
        """Opens an existing journal.

        Args:
            folder: the sweep's folder.
            clock: the source of `at`; by default one that starts now.
            on_wait: called with a sentence if this waits (up to 20 s) for a holder elsewhere that may have died.
            known: what was read before, so that only new events are read. The journal takes ownership of it.

        Raises:
            SweepHeldError: another driver is running the sweep.
            StorageError: the journal is empty, damaged, or cannot be read or written.
        """
        lease = Lease(folder)
        lease.acquire(on_wait)
        try:
            self._begin(folder, clock or SteadyClock(), lease, known)
        except BaseException:
            lease.release()
            raise
        if not self.events:
            self.close()
            raise empty(folder)

    @classmethod
    def create(cls, folder: SweepFolder, lease: Lease, clock: SteadyClock, first: Sequence[ev.AnyEvent]) -> Journal:
        """Creates a journal on an object store under a lease that is already held; it appears with its first events.

        Raises:
            FileExistsError: the journal exists.
            StorageError: the store refused.
        """
        journal = cls.__new__(cls)
        journal._begin(folder, clock, lease)
        if journal.events:
            raise FileExistsError(str(folder.path))
        journal.append(*first)
        return journal

    def _begin(self, folder: SweepFolder, clock: SteadyClock, lease: Lease, known: History | None = None) -> None:
        self.folder = folder
        self.clock = clock
        self._lease = lease
        self._writing = threading.Lock()
        self._history, self._log = _opened(folder, known)
        self.events = self._history.events

    @property
    def sweep(self) -> Sweep:
        """The current state of the sweep; always the same object."""
        return self._history.sweep

    def append(self, *events: ev.AnyEvent) -> list[ev.AnyEvent]:
        """Writes events durably, in one write, and returns them with `at` and `seq` set.

        Raises:
            StorageError: the disk or the store refused; earlier events are unchanged.
            SweepHeldError: another driver has taken over.
        """
        if not events:
            return []
        with self._writing:
            self._lease.confirm()
            now = self.clock.now()
            written = [stamped(event, now, self._log.seq + i) for i, event in enumerate(events)]
            self._log.write(b"".join(line_of(event) for event in written), len(written))
            self._lease.confirm()
            self._history.add(written)
            return written

    def moved(self, folder: SweepFolder) -> None:
        """Tells the journal that the sweep's folder was renamed."""
        self.folder = folder
        self._log.moved(folder)
        self._lease.moved(folder)

    def close(self) -> None:
        """Releases the sweep for another driver. May be called twice."""
        try:
            self._log.close()
        finally:
            self._lease.release()


def _opened(folder: SweepFolder, known: History | None) -> tuple[History, FileLog | SegmentLog]:
    """Opens the log after what is known, or at its start if the journal no longer starts with what is known."""
    if known is not None:
        with contextlib.suppress(StorageError):  # what was read was merged or removed; the next call reports damage
            return known, known.open_log()
    history = History(folder)
    return history, history.open_log()


class JournalReader:
    """Follows a journal that another process writes."""

    def __init__(self, folder: SweepFolder) -> None:
        self._reader = reader_of(folder)

    @property
    def offset(self) -> int:
        """How far it has read: in bytes of the file, or in events on an object store."""
        return self._reader.offset

    @property
    def seq(self) -> int:
        """How many events it has read; the next one's `seq`."""
        return self._reader.seq

    def read(self) -> list[ev.AnyEvent]:
        """The complete events since the last call.

        Raises:
            StorageError: it cannot be read, or a line other than the last is damaged; the message says where.
        """
        return self._reader.read()


def read_events(folder: SweepFolder) -> list[ev.AnyEvent]:
    """Every complete event of a sweep; empty for an empty journal.

    Raises:
        StorageError: the journal cannot be read, or a line other than the last is damaged.
    """
    return JournalReader(folder).read()


def read_first(folder: SweepFolder) -> ev.AnyEvent | None:
    """A sweep's first event, without reading the others; None for an empty journal.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    return first_of_segments(folder) if folder.is_remote else first_of_file(folder.journal)


def read_lines(folder: SweepFolder) -> tuple[list[ev.AnyEvent], list[bytes]]:
    """Like `read_events`, and the lines that the events were read from.

    Raises:
        StorageError: as for `read_events`.
    """
    return lines_of_segments(folder) if folder.is_remote else lines_of_file(folder.journal)


def line_of(event: ev.AnyEvent) -> bytes:
    """An event as a line of the journal.

    Raises:
        StorageError: it is larger than readers accept.
    """
    line = ev.encode(event)
    if len(line) > LINE_BYTES_MAX:
        has = f"a {type(event).__name__} has {len(line) >> 20} MiB"
        raise StorageError(f"the journal: an event must have at most {LINE_BYTES_MAX >> 20} MiB, but {has}")
    return line


def empty(folder: SweepFolder) -> StorageError:
    """The error for a journal without events."""
    where = folder.segments if folder.is_remote else folder.journal
    return StorageError(f"{where}: the journal is empty; restore it, or delete the sweep's folder and run it again")


def stamped(event: _E, at: float, seq: int) -> _E:
    return msgspec.structs.replace(event, at=at, seq=seq)
