"""A journal's events and the folded sweep, read once and passed on to all who need them."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.storage import SweepFolder
from tuner.storage.journal.file import FileLog, FileReader
from tuner.storage.journal.segments import SegmentLog, SegmentReader
from tuner.sweep import Sweep
from tuner.sweep import events as ev


class History:
    """The events of a journal that were read so far, and the sweep that they fold to.

    Args:
        folder: the sweep's folder.

    Attributes:
        events: in order, without gaps.
        reader: positioned after the last event, unless the journal's writer added events.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.events: list[ev.AnyEvent] = []
        self.reader = reader_of(folder)
        self._sweep, self._num_folded = Sweep(), 0

    @property
    def sweep(self) -> Sweep:
        """The folded sweep: always the same object, updated to the last event at each access."""
        for event in self.events[self._num_folded :]:
            self._sweep.apply(event)
            self._num_folded += 1
        return self._sweep

    def read_on(self) -> History:
        """Reads new events; returns itself.

        Raises:
            StorageError: the journal cannot be read, or a line other than the last is damaged.
        """
        self.events += self.reader.read()
        return self

    def open_log(self) -> FileLog | SegmentLog:
        """Opens the journal for its writer, who holds the lease, and reads new events.

        Raises:
            StorageError: it is damaged, cannot be read or written, or no longer starts with what was read before.
        """
        if isinstance(self.reader, SegmentReader):
            segments = SegmentLog(self.folder)
            self.events += segments.open(self.reader)
            return segments
        file = FileLog(self.folder)
        self.events += file.open(self.reader)
        return file

    def add(self, events: Sequence[ev.AnyEvent]) -> None:
        """Takes the next events, which were written to the journal."""
        self.events += events


def reader_of(folder: SweepFolder) -> FileReader | SegmentReader:
    """A reader at the start of a sweep's journal."""
    return SegmentReader(folder) if folder.is_remote else FileReader(folder.journal, folder.base)
