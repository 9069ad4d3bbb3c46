"""A lease on a local or shared disk: the kernel's lock, and `lease.json` for the machines that it does not reach."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from tuner.base.errors import StorageError
from tuner.storage import SweepFolder, nofollow
from tuner.storage.journal.holder import Holder

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
        self._folder, self._path, self._base = folder, path, folder.base
        self._lock = filelock.FileLock(_lock_path(path), thread_local=False)

    def lock(self) -> None:
        """Takes the kernel's lock.

        Raises:
            Taken: a live process has it.
            StorageError: it cannot be taken, or is a link.
        """
        try:
            _check_lock(self._path, self._base)
            self._lock.acquire(timeout=PROBE_S)
        except filelock.Timeout:
            seen = self.look()
            raise Taken(seen.holder if seen else None) from None
        except OSError as error:
            raise _refused(self._path, error) from error

    def look(self) -> Seen | None:
        """The lease now; None if there is none."""
        try:
            data = _read(self._path, self._base)
        except FileNotFoundError:
            return None
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
        try:
            with nofollow.folder_of(self._path, self._base) as folder:
                if seen is not None:
                    self._take_away(folder, seen, f".lease.{holder.id}.tmp")
                with open(nofollow.new_file(folder, self._path.name), "wb") as file:
                    file.write(holder.to_bytes())
        except (FileNotFoundError, FileExistsError) as error:
            now = self.look()
            if now is None and not self._path.parent.exists():
                raise _refused(self._path, error) from error
            raise Taken(now.holder if now else None) from None
        except OSError as error:
            raise _refused(self._path, error) from error

    def _take_away(self, folder: int, seen: Seen, aside: str) -> None:
        """Moves the lease that was seen out of the way; puts another one back."""
        name = self._path.name
        try:
            os.rename(name, aside, src_dir_fd=folder, dst_dir_fd=folder)
            data = _read(self._path.with_name(aside), self._base)
            if data != seen.data:
                with contextlib.suppress(FileExistsError):
                    os.link(aside, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                raise Taken(Holder.from_bytes(data))
        finally:
            with contextlib.suppress(OSError):
                os.unlink(aside, dir_fd=folder)

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
        try:
            nofollow.replace(self._path, holder.to_bytes(), self._base, is_durable=False)
        except OSError as error:
            raise _refused(self._path, error) from error

    def moved(self, folder: SweepFolder) -> None:
        """The folder was renamed; the lock went with it."""
        assert isinstance(folder.path, Path)
        self._folder, self._path, self._base = folder, folder.path / "lease.json", folder.base

    def release(self, holder: Holder) -> None:
        """Leaves no lease behind, if it is this holder's."""
        with contextlib.suppress(Taken, StorageError, OSError):
            self.verify(holder)
            nofollow.unlink(self._path, self._base)

    def unlock(self) -> None:
        self._lock.release()

    def live_holder(self) -> Holder | None:
        """Who works on the sweep now."""
        if (seen := self.look()) is None:
            return None
        holder = seen.holder or Holder("unknown", 0, 0.0)
        if not holder.is_of(self._folder):
            return None
        if _is_locked(self._path, self._base):
            return holder
        return None if self.is_dead(replace(seen, holder=holder)) or not holder.beats else holder


def _check_lock(path: Path, base: Path | None) -> bool:
    """Whether there is a lock file, which filelock opens by its path; refuses a link, a pipe and the like."""
    lock = _lock_path(path)
    for problem in nofollow.problems(lock.parent, [lock.name], base):
        raise problem
    return nofollow.lstat(lock, base) is not None


def _is_locked(path: Path, base: Path | None) -> bool:
    """Whether a process that the kernel knows has the lock; looks by taking it for an instant."""
    if not _check_lock(path, base):
        return False
    try:
        with filelock.FileLock(_lock_path(path), blocking=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _read(path: Path, base: Path | None) -> bytes:
    """A lease, or as much of what is none as says so."""
    try:
        with open(nofollow.open_file(path, os.O_RDONLY, base), "rb") as file:
            return file.read(BYTES_MAX)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(path, error) from error


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(f"{path}: cannot be written or read: {error.strerror or error}; nothing acknowledged is lost")
