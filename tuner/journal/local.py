"""The journal as one file on a local or shared disk: appended and fsynced before anything acts on an event."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from tuner import events as ev
from tuner.errors import StorageError, UsageError
from tuner.journal.lease import Lease
from tuner.paths import SweepFolder, write_atomically
from tuner.program import program

_E = TypeVar("_E", bound=ev.AnyEvent)


class Journal:
    """The single writer of a sweep's journal; holds the lease until `close`."""

    def __init__(self, folder: SweepFolder, clock: Callable[[], float] = time.time) -> None:
        """Opens an existing journal, waits for nobody.

        Raises:
            SweepHeldError: another driver is at work.
            StorageError: the journal is damaged or cannot be written.
        """
        self.folder = folder
        self._clock = clock
        self._lease = Lease(folder.lease)
        try:
            self._lease.acquire()
            self.events, end = _read(folder.journal, warn=True)
            self._file = open(folder.journal, "r+b", buffering=0)  # noqa: SIM115 - open for as long as the driver lives
            self._file.truncate(end)
            self._file.seek(end)
        except OSError as error:
            self._lease.release()
            raise _refused(folder.journal, error) from error
        except BaseException:
            self._lease.release()
            raise
        self._seq = self.events[-1].seq + 1 if self.events else 0

    def append(self, *events: ev.AnyEvent) -> list[ev.AnyEvent]:
        """Writes events durably, in one go, and returns them with `at` and `seq` set.

        Raises:
            StorageError: the disk refused; what was acknowledged before is still there.
        """
        now = self._clock()
        stamped = [_stamped(event, now, self._seq + i) for i, event in enumerate(events)]
        data = b"".join(ev.encode(event) for event in stamped)
        start = self._file.tell()
        try:
            if self._file.write(data) != len(data):
                raise OSError("the disk took only a part of it")
            os.fsync(self._file.fileno())
        except OSError as error:
            self._take_back(start)
            raise _refused(self.folder.journal, error) from error
        self._seq += len(stamped)
        return stamped

    def _take_back(self, start: int) -> None:
        """After a refused write, drops the part that got through, so that no torn line stays in the middle."""
        try:
            self._file.truncate(start)
            self._file.seek(start)
        except OSError:
            pass

    def moved(self, folder: SweepFolder) -> None:
        """The sweep's folder was renamed."""
        self.folder = folder
        self._lease.moved(folder.lease)

    def close(self) -> None:
        """Frees the sweep for another driver; does nothing a second time."""
        self._file.close()
        self._lease.release()


class JournalReader:
    """Follows a journal that somebody else writes."""

    def __init__(self, folder: SweepFolder) -> None:
        self._path = folder.journal
        self.offset = 0

    def read(self) -> list[ev.AnyEvent]:
        """The complete events since the last call.

        Raises:
            StorageError: a line is damaged; the message names its byte offset.
        """
        events, self.offset = _read(self._path, self.offset)
        return events


def read_events(folder: SweepFolder) -> list[ev.AnyEvent]:
    """Every complete event of a sweep.

    Raises:
        StorageError: the journal cannot be read, or a line other than the last is damaged.
    """
    try:
        return JournalReader(folder).read()
    except OSError as error:
        raise _refused(folder.journal, error) from error


def create_sweep(folder: SweepFolder, spec_yaml: str, started: ev.SweepStarted) -> Journal:
    """Makes a sweep's folder, which appears by rename once its journal holds `sweep_started`.

    Raises:
        UsageError: the name is taken; the message has the two ways on.
        StorageError: the storage root cannot be written.
    """
    making = SweepFolder(folder.path.with_name(f".{folder.name}.{os.getpid()}.new"))
    try:
        shutil.rmtree(making.path, ignore_errors=True)
        making.checkpoints.mkdir(parents=True)
        write_atomically(making.spec, spec_yaml.encode())
        write_atomically(making.journal, ev.encode(_stamped(started, time.time(), 0)))
        journal = Journal(making)
        try:
            os.rename(making.path, folder.path)
        except OSError:
            journal.close()
            raise
    except OSError as error:
        shutil.rmtree(making.path, ignore_errors=True)
        if folder.path.exists():
            raise name_taken(folder) from None
        raise StorageError(f"{folder.path}: the storage root must be writable, but {error}") from error
    journal.moved(folder)
    return journal


def name_taken(folder: SweepFolder) -> UsageError:
    """The refusal of a name that exists, with the two ways on."""
    if not folder.journal.exists():
        return UsageError(f"{folder.path} exists and is no sweep; choose another name (--name)")
    return UsageError(
        f"sweep {folder.name} exists in {folder.root.path}: go on with it ({program()} resume {folder.name},"
        f" or --or-resume), or choose another name (--name)"
    )


def _stamped(event: _E, at: float, seq: int) -> _E:
    return msgspec.structs.replace(event, at=at, seq=seq)


def _read(path: Path, offset: int = 0, warn: bool = False) -> tuple[list[ev.AnyEvent], int]:
    """Events from a byte offset on, and the offset behind the last complete one. A torn last line is left out."""
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read()
    complete = data.rfind(b"\n") + 1
    if warn and complete < len(data):
        warnings.warn(f"{path}: dropped a torn last line of {len(data) - complete} bytes", RuntimeWarning, stacklevel=3)
    events: list[ev.AnyEvent] = []
    position = offset
    for line in data[:complete].splitlines(keepends=True):
        events.append(_decoded(line, path, position))
        position += len(line)
    return events, position


def _decoded(line: bytes, path: Path, offset: int) -> ev.AnyEvent:
    try:
        return ev.decode(line)
    except msgspec.ValidationError as error:
        newer = " (a newer version of tuner wrote it)" if "`$.event`" in str(error) else ""
        raise StorageError(f"{path}: byte {offset}: every line must be a known event{newer}, but {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StorageError(f"{path}: byte {offset}: damaged line: {error}") from None


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written or read: {error.strerror or error}; nothing acknowledged is lost")
