"""A lease on a local or shared disk: the kernel's lock, and `lease.json` for the machines that it does not reach."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from tuner.errors import StorageError
from tuner.journal.holder import Holder
from tuner.paths import SweepFolder

BYTES_MAX = 64 << 10
PROBE_S = 1.0
"""Whoever looks if a sweep is held holds its lock for an instant; a driver waits that out."""


@dataclass(frozen=True)
class Seen:
    """A lease as it was found."""

    data: bytes
    holder: Holder | None
    generation: int = 0

    @property
    def is_free(self) -> bool:
        return self.holder is not None and self.holder.released


class Taken(Exception):
    """Somebody else has the lease."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(str(holder))
        self.holder = holder


class LeaseFiles:
    """The lease of a sweep in a folder."""

    look_s = 0.5
    """Between two looks at another machine's lease."""

    def __init__(self, folder: SweepFolder) -> None:
        path = folder.path / "lease.json"
        assert isinstance(path, Path)
        self._path = path
        self._lock = filelock.FileLock(_lock_path(path), thread_local=False)

    def lock(self) -> None:
        """Takes the kernel's lock.

        Raises:
            Taken: a live process has it.
        """
        try:
            self._lock.acquire(timeout=PROBE_S)
        except filelock.Timeout:
            seen = self.look()
            raise Taken(seen.holder if seen else None) from None
        except OSError as error:
            raise _refused(self._path, error) from error

    def look(self) -> Seen | None:
        """The lease now; None if there is none."""
        try:
            data = _read(self._path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refused(self._path, error) from error
        return Seen(data, Holder.from_bytes(data))

    def is_dead(self, seen: Seen) -> bool:
        """Whether its holder is known to be dead: its lock is free, and a lock reaches all processes of a machine."""
        return seen.holder is not None and seen.holder.is_of_this_boot

    def is_alive(self, seen: Seen, beat_s: float) -> bool:
        """Whether its holder is known to live; it would have the lock."""
        return False

    def take(self, holder: Holder, seen: Seen | None) -> None:
        """Puts a lease in the place of the dead one that was seen.

        Raises:
            Taken: another driver was quicker.
        """
        aside = self._path.with_name(f".lease.{holder.id}.tmp")
        try:
            if seen is not None:
                os.rename(self._path, aside)
                if (found := _read(aside)) != seen.data:
                    with contextlib.suppress(FileExistsError):
                        os.link(aside, self._path)
                    raise Taken(Holder.from_bytes(found))
            with open(self._path, "xb") as file:
                file.write(holder.to_bytes())
        except (FileNotFoundError, FileExistsError) as error:
            now = self.look()
            if now is None and not self._path.parent.exists():
                raise _refused(self._path, error) from error
            raise Taken(now.holder if now else None) from None
        except OSError as error:
            raise _refused(self._path, error) from error
        finally:
            with contextlib.suppress(OSError):
                aside.unlink()

    def verify(self, holder: Holder) -> None:
        """Reads whether the lease is still this holder's.

        Raises:
            Taken: it is another's.
        """
        seen = self.look()
        if seen is not None and (seen.holder is None or seen.holder.id != holder.id):
            raise Taken(seen.holder)

    def renew(self, holder: Holder) -> None:
        """Writes a new beat.

        Raises:
            Taken: the lease is another's.
            StorageError: it could not be written.
        """
        self.verify(holder)
        temporary = self._path.with_name(f".lease.{holder.id}.tmp")
        try:
            temporary.write_bytes(holder.to_bytes())
            os.replace(temporary, self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise _refused(self._path, error) from error

    def moved(self, folder: SweepFolder) -> None:
        """The folder was renamed; the lock went with it."""
        assert isinstance(folder.path, Path)
        self._path = folder.path / "lease.json"

    def release(self, holder: Holder) -> None:
        """Leaves no lease behind, if it is this holder's."""
        with contextlib.suppress(Taken, StorageError, OSError):
            self.verify(holder)
            self._path.unlink(missing_ok=True)

    def unlock(self) -> None:
        self._lock.release()

    def live_holder(self) -> Holder | None:
        """Who works on the sweep now."""
        if (seen := self.look()) is None:
            return None
        holder = seen.holder or Holder("unknown", 0, 0.0)
        if _is_locked(self._path):
            return holder
        return None if self.is_dead(replace(seen, holder=holder)) or not holder.beats else holder


def _is_locked(path: Path) -> bool:
    """Whether a process that the kernel knows has the lock; looks by taking it for an instant."""
    if not _lock_path(path).exists():
        return False
    try:
        with filelock.FileLock(_lock_path(path), blocking=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _read(path: Path) -> bytes:
    """A lease, or as much of what is none as says so."""
    with open(path, "rb") as file:
        return file.read(BYTES_MAX)


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written or read: {error.strerror or error}; nothing acknowledged is lost")
