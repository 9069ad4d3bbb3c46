"""The journal as one file on a local or shared disk. Events are appended and synced before anything acts on them."""

from __future__ import annotations

import contextlib
import errno
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tuner.base.errors import StorageError
from tuner.storage import SweepFolder, nofollow, write_atomically
from tuner.storage.journal import lines
from tuner.sweep import events as ev

_CHUNK_BYTES = 8 << 20


class FileReader:
    """Follows a journal's file; `offset` is the end of the last complete event, `seq` that of the next event."""

    def __init__(self, path: Path, base: Path | None = None) -> None:
        """No link below `base` is followed."""
        self._path, self._base = path, base
        self.offset = 0
        self.seq = 0
        self._file = (0, 0)
        self._last = b""
        """The last line that was read, and the file that it was read from."""

    def read(self) -> list[ev.AnyEvent]:
        """The complete events since the last call; a line that is still being written is left for the next call.

        If part of them cannot be read, this raises, and the next call starts where this one did.
        """
        return self.read_with_tail()[0]

    def read_with_tail(self) -> tuple[list[ev.AnyEvent], bytes]:
        """Like `read`, and what follows the events: a torn last line, or nothing."""
        before = self.offset, self.seq, self._last
        try:
            return self._read_on()
        except BaseException:
            self.offset, self.seq, self._last = before
            raise

    def check_beginning(self) -> None:
        """Checks that the file still starts with what was read, because its writer may have removed unsynced events.

        Raises:
            StorageError: it does not, or it cannot be read.
        """
        try:
            with open(nofollow.open_file(self._path, os.O_RDONLY, self._base), "rb") as file:
                is_same = _identity(os.fstat(file.fileno())) == self._file
                file.seek(self.offset - len(self._last))
                if not is_same or file.read(len(self._last)) != self._last:
                    raise StorageError(f"{self._path}: no longer starts with the {self.offset} bytes that were read")
        except OSError as error:
            raise refused(self._path, "read", error) from error

    def _read_on(self) -> tuple[list[ev.AnyEvent], bytes]:
        events: list[ev.AnyEvent] = []
        try:
            with open(nofollow.open_file(self._path, os.O_RDONLY, self._base), "rb") as file, lines.without_gc():
                size, self._file = os.fstat(file.fileno()).st_size, _identity(os.fstat(file.fileno()))
                if size < self.offset:
                    raise StorageError(f"{self._path}: {self.offset} bytes of it were read, but it has {size} now")
                file.seek(self.offset)
                rest = bytearray()
                while chunk := file.read(_CHUNK_BYTES):
                    at = len(rest)
                    rest += chunk
                    last = rest.rfind(b"\n", max(at - 1, 0), len(rest) - 1) + 1  # the last line is read at the end
                    if last:
                        events += self._take(rest[:last])
                        rest = rest[last:]
                    if len(rest) > lines.LINE_BYTES_MAX + 1:
                        raise lines.too_long(self._path, self.seq + 1, self.offset)
        except OSError as error:
            raise refused(self._path, "read", error) from error
        if rest.endswith(b"\n") and lines.is_json(bytes(rest)):
            events += self._take(rest)
            rest.clear()
        return events, bytes(rest)

    def _take(self, data: bytearray) -> list[ev.AnyEvent]:
        events = lines.decode(data, self._path, self.seq, self.offset, self.seq + 1)
        self.offset += len(data)
        self.seq += len(events)
        self._last = bytes(data[data.rfind(b"\n", 0, -1) + 1 :])
        return events


class _Place(NamedTuple):
    """The identity of a file, and its size in bytes."""

    device: int
    inode: int
    size: int


class FileLog:
    """Appends to a journal's file."""

    def __init__(self, folder: SweepFolder) -> None:
        self._path, self._base = folder.journal, folder.base
        self._handle = -1
        self._at = (0, 0)

    @property
    def seq(self) -> int:
        """That of the next event."""
        return self._at[1]

    def open(self, reader: FileReader) -> list[ev.AnyEvent]:
        """Opens the file for appending and returns the events that a reader has not read yet.

        A torn last line is cut off, with a warning, and its bytes are saved beside the journal.

        Raises:
            StorageError: the file is damaged, cannot be read or written, or no longer starts with what the reader read.
        """
        if reader.seq:
            reader.check_beginning()
        events, tail = reader.read_with_tail()
        try:
            self._handle = nofollow.open_file(self._path, os.O_RDWR, self._base)
            if tail:
                self._cut_off(tail, reader.offset)
        except OSError as error:
            self.close()
            raise refused(self._path, "written", error) from error
        self._at = (reader.offset, reader.seq)
        return events

    def write(self, data: bytes, count: int) -> None:
        """Appends `count` lines durably, all or none.

        Raises:
            StorageError: the disk refused, or the file was replaced; earlier events are unchanged.
        """
        end, seq = self._at
        self._check_place(end)
        try:
            written = 0
            for piece in _pieces(data):
                self._reserve(end + written, len(piece))
                written += self._put(piece, end + written)
            getattr(os, "fdatasync", os.fsync)(self._handle)
            self._at = (end + len(data), seq + count)
        except BaseException as error:  # also on an interrupt, no torn line may stay in the middle
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._at[0])
            if isinstance(error, OSError):
                raise refused(self._path, "written", error) from error
            raise

    def moved(self, folder: SweepFolder) -> None:
        self._path, self._base = folder.journal, folder.base

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _put(self, piece: memoryview, at: int) -> int:
        written = 0
        while written < len(piece):
            written += os.pwrite(self._handle, piece[written:], at + written)
        return written

    def _reserve(self, end: int, size: int) -> None:
        """Reserves space, so that a full disk is noticed before a reader can see some of the lines."""
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(self._handle, end, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise

    def _check_place(self, end: int) -> None:
        """Checks that the file was not deleted or replaced: the system would silently accept further writes."""
        if self._handle < 0:
            raise StorageError(f"{self._path}: the journal is closed")
        try:
            found = nofollow.lstat(self._path, self._base)
            if found is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._path))
            named, opened = (_Place(s.st_dev, s.st_ino, s.st_size) for s in (found, os.fstat(self._handle)))
        except OSError as error:
            raise refused(self._path, "written", error) from error
        if named[:2] != opened[:2]:
            raise StorageError(
                f"{self._path}: the journal was replaced by another file while the sweep ran; restore it"
            )
        if opened.size != end:
            raise StorageError(
                f"{self._path}: must have the {end} bytes that this driver knows, but has {opened.size};"
                f" another program wrote to it"
            )

    def _cut_off(self, tail: bytes, end: int) -> None:
        aside = self._path.with_name(f"journal.torn-{int(time.time())}")
        while nofollow.lstat(aside, self._base) is not None:
            aside = aside.with_name(f"{aside.name}-again")
        write_atomically(aside, tail, self._base)
        os.ftruncate(self._handle, end)
        os.fsync(self._handle)
        warnings.warn(
            f"{self._path}: dropped a torn last line of {len(tail)} bytes, which was never acted upon; kept in"
            f" {aside.name}",
            RuntimeWarning,
            stacklevel=7,
        )


def first_of_file(path: Path) -> ev.AnyEvent | None:
    """The first event of a journal's file; None if there is none yet.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    try:
        with open(path, "rb") as file:
            line = file.readline(_CHUNK_BYTES)
    except OSError as error:
        raise refused(path, "read", error) from error
    return next(iter(lines.decode(line, path, 0)), None) if line.endswith(b"\n") else None


def lines_of_file(path: Path) -> tuple[list[ev.AnyEvent], list[bytes]]:
    """The complete events of a journal's file, and the lines that they were read from.

    Raises:
        StorageError: it cannot be read, or is damaged.
    """
    reader = FileReader(path)
    events = reader.read()
    try:
        with open(path, "rb") as file:
            return events, lines.split(file.read(reader.offset))
    except OSError as error:
        raise refused(path, "read", error) from error


def _identity(stat: os.stat_result) -> tuple[int, int]:
    """Identifies a file, whatever its name."""
    return stat.st_dev, stat.st_ino


def _pieces(data: bytes) -> Iterator[memoryview]:
    """Splits data into groups of whole lines, none longer than a line may be, which bounds the remains of a crash."""
    view, start = memoryview(data), 0
    while start < len(data):
        most = start + lines.LINE_BYTES_MAX
        last = -1 if most >= len(data) else data.rfind(b"\n", start, most)
        stop = last + 1 or len(data)
        yield view[start:stop]
        start = stop


def refused(path: Path, what: str, error: OSError) -> StorageError:
    """The error for an operation that the disk refused."""
    return StorageError(f"{path}: cannot be {what}: {error.strerror or error}; nothing acknowledged is lost")
