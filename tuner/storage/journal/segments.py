"""The journal on an object store: `journal/<first seq>.jsonl`, one object for each append, merged as they accumulate.

A merged object is `journal/<first seq>-<last seq>.jsonl`. It is created before the objects that it covers are deleted,
and no object is ever overwritten. So nothing is lost if a process crashes at any point, or if a driver that was taken
for dead continues to merge. If several objects hold the same events, a reader takes the one with the most events.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tuner.base.errors import StorageError, SweepHeldError
from tuner.storage import SweepFolder
from tuner.storage.journal import lines
from tuner.storage.journal.merging import Merger, Segment
from tuner.storage.objectstore import attempt, objects_in, put_new, read_many
from tuner.sweep import events as ev

_FETCHED_AT_ONCE = 32
_FETCHED_BYTES = 64 << 20
"""The most bytes that are fetched at once; a larger segment is fetched alone."""
SEGMENT_BYTES_MAX = 256 << 20
"""Four times the size that merging aims at."""
_LISTINGS = 8
"""How often a listing is repeated that a merge has made obsolete."""
_NUMBER = "([0-9]{12}|[1-9][0-9]{12,})"
_NAME = re.compile(rf"{_NUMBER}(?:-{_NUMBER})?\.jsonl")


@dataclass(frozen=True)
class Listed:
    """An object of the journal, parsed from its name: its first `seq` and, if it was merged, its last."""

    name: str
    first: int
    last: int | None
    size: int


class SegmentReader:
    """Follows a journal's segments; `seq` is that of the next event."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder.segments
        self.seq = 0
        self.read_from: list[Segment] = []
        """The segments that all events so far were read from, in order."""
        self.listed: list[Listed] = []
        self._newest = ("", b"")
        """The newest object that was read, and its digest."""

    @property
    def offset(self) -> int:
        return self.seq

    def read(self) -> list[ev.AnyEvent]:
        """The events since the last call.

        Raises:
            StorageError: one is damaged or missing, or the store refused; the next call starts where this one did.
        """
        seq, num_read_from, newest = self.seq, len(self.read_from), self._newest
        try:
            return self._read_on()
        except BaseException:
            self.seq, self._newest = seq, newest
            del self.read_from[num_read_from:]
            raise

    def read_for_writer(self) -> list[ev.AnyEvent]:
        """Like `read`, but also checks that the journal still consists of what was read before.

        Another driver may have merged objects, or removed its newest object after a failed append.

        Raises:
            StorageError: it does not, or as for `read`.
        """
        name, digest = self._newest
        if _digest(read_many(self._folder, [name]).get(name, b"")) != digest:
            raise StorageError(f"{self._folder / name}: has changed since it was read")
        events = self.read()
        if [listed.name for listed in uncovered(self.listed, 0)] != [segment.name for segment in self.read_from]:
            raise StorageError(f"{self._folder}: its objects were merged after they were read")
        return events

    def read_beginning(self) -> list[ev.AnyEvent]:
        """The events of the first object only.

        Raises:
            StorageError: it is damaged or missing, or the store refused.
        """
        for _ in range(_LISTINGS):
            self.listed = self._list()[:1]
            events: list[ev.AnyEvent] = []
            if self._read_listed(events):
                return events
        raise StorageError(f"{self._folder}: the events from seq 0 on are missing, but later ones exist")

    def _read_on(self) -> list[ev.AnyEvent]:
        events: list[ev.AnyEvent] = []
        with lines.without_gc():
            for _ in range(_LISTINGS):
                self.listed = self._list()
                if self._read_listed(events):
                    return events
        raise StorageError(f"{self._folder}: the events from seq {self.seq} on are missing, but later ones exist")

    def _read_listed(self, events: list[ev.AnyEvent]) -> bool:
        """Adds the events of the listed objects; False if an object was merged meanwhile, or events are missing."""
        for some in self._groups(uncovered(self.listed, self.seq)):
            fetched = read_many(self._folder, [listed.name for listed in some])
            for listed in some:
                data = fetched.get(listed.name)
                if data is None or listed.first > self.seq:
                    return False
                events += self._take(listed, data)
        return True

    def _groups(self, wanted: list[Listed]) -> Iterator[list[Listed]]:
        """Groups of objects that are fetched at once, limited by their size."""
        group: list[Listed] = []
        for listed in wanted:
            if listed.size > SEGMENT_BYTES_MAX:
                raise StorageError(
                    f"{self._folder / listed.name}: damaged: must have at most {SEGMENT_BYTES_MAX >> 20} MiB, but has"
                    f" {listed.size >> 20} MiB"
                )
            if group and (
                len(group) == _FETCHED_AT_ONCE or sum(one.size for one in group) + listed.size > _FETCHED_BYTES
            ):
                yield group
                group = []
            group.append(listed)
        if group:
            yield group

    def _take(self, listed: Listed, data: bytes) -> list[ev.AnyEvent]:
        path = self._folder / listed.name
        if not data.endswith(b"\n"):
            raise StorageError(f"{path}: damaged: its last line has no end")
        events = lines.decode(data, path, listed.first)
        last = listed.first + len(events) - 1
        if listed.last not in (None, last):
            raise StorageError(f"{path}: damaged: must end with seq {listed.last}, but ends with {last}")
        new = events[self.seq - listed.first :] if listed.last is not None or listed.first == self.seq else []
        if new:
            self.seq = last + 1
            self.read_from.append(Segment(listed.name, listed.first, last, len(data)))
            self._newest = (listed.name, _digest(data))
        return new

    def _list(self) -> list[Listed]:
        found = objects_in(self._folder)
        return sorted(_listed(found), key=lambda listed: (listed.first, -(listed.last or listed.first)))


class _LineReader(SegmentReader):
    """A SegmentReader that keeps the lines that it reads."""

    def __init__(self, folder: SweepFolder) -> None:
        super().__init__(folder)
        self.lines: list[bytes] = []

    def _take(self, listed: Listed, data: bytes) -> list[ev.AnyEvent]:
        new = super()._take(listed, data)
        self.lines += lines.split(data)[-len(new) :] if new else []
        return new


def lines_of_segments(folder: SweepFolder) -> tuple[list[ev.AnyEvent], list[bytes]]:
    """The events of a journal's segments, and the lines that they were read from.

    Raises:
        StorageError: one is damaged or missing, or the store refused.
    """
    reader = _LineReader(folder)
    return reader.read(), reader.lines


def first_of_segments(folder: SweepFolder) -> ev.AnyEvent | None:
    """The first event of a journal's segments; None if there is none yet.

    Raises:
        StorageError: it is damaged or missing, or the store refused.
    """
    reader = SegmentReader(folder)
    return next(iter(reader.read_beginning()), None)


class SegmentLog:
    """Appends to a journal's segments, one object for each append."""

    def __init__(self, folder: SweepFolder) -> None:
        self._sweep = folder
        self._folder = folder.segments
        self._merger: Merger | None = None
        self._at: tuple[int, bytes | None] = (0, None)

    @property
    def seq(self) -> int:
        """That of the next event."""
        return self._at[0]

    def open(self, reader: SegmentReader) -> list[ev.AnyEvent]:
        """Opens the log and returns the events that a reader has not read yet. Deletes the remains of a failed merge.

        Raises:
            StorageError: an object is damaged or missing, the store refused, or the journal no longer consists of what
                the reader read.
        """
        events = reader.read_for_writer() if reader.seq else reader.read()
        used = {segment.name for segment in reader.read_from}
        self._merger = Merger(self._folder, reader.read_from)
        self._merger.delete([listed.name for listed in reader.listed if listed.name not in used])
        self._at = (reader.seq, None)
        return events

    def write(self, data: bytes, count: int) -> None:
        """Writes `count` lines durably, as a new object.

        Raises:
            SweepHeldError: another driver wrote events with these numbers.
            StorageError: the store refused.
        """
        if self._merger is None:
            raise StorageError(f"{self._folder}: the journal is closed")
        self._take_back()
        seq = self._at[0]
        name = f"{seq:012d}.jsonl"
        self._at = (seq, data)
        try:
            put_new(self._folder / name, data)
        except FileExistsError:
            self._at = (seq, None)
            raise SweepHeldError(
                f"sweep {self._sweep.name}: another driver is running it: it wrote event {seq}"
            ) from None
        self._at = (seq + count, None)
        self._merger.add(Segment(name, seq, seq + count - 1, len(data)), data)

    def moved(self, folder: SweepFolder) -> None:
        """Does nothing: nothing is renamed on an object store."""

    def close(self) -> None:
        if self._merger is not None:
            self._merger.close()
            self._merger = None

    def _take_back(self) -> None:
        """Deletes the object that a failed append may have left; it was never acknowledged."""
        seq, doubtful = self._at
        if doubtful is None:
            return
        path = self._folder / f"{seq:012d}.jsonl"
        with contextlib.suppress(FileNotFoundError):
            if attempt(path, "read", lambda fs: fs.cat_file(path.path)) == doubtful:
                attempt(path, "deleted", lambda fs: fs.rm_file(path.path))
        self._at = (seq, None)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def uncovered(listed: Iterable[Listed], seq: int) -> list[Listed]:
    """The objects that hold events from `seq` on; ordered by first event, the one with the most events first."""
    wanted = []
    for one in listed:
        if (one.first if one.last is None else one.last) >= seq:
            wanted.append(one)
            seq = (one.first if one.last is None else one.last) + 1
    return wanted


def _listed(found: dict[str, int]) -> Iterable[Listed]:
    """The objects that belong to a journal, of all that were found."""
    for name, size in found.items():
        if match := _NAME.fullmatch(name):
            first, last = match.groups()
            yield Listed(name, int(first), int(last) if last else None, size)
