"""A lease on a local or shared disk: a kernel lock, and `lease.json` for machines that the lock does not reach."""

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
"""Checking whether a sweep is held takes its lock for an instant. A driver waits this long for the lock."""


@dataclass(frozen=True)
class Seen:
    """A lease at the time of a look."""

    data: bytes
    holder: Holder | None
    generation: int = 0

    @property
    def is_free(self) -> bool:
        return self.holder is not None and self.holder.released


class Taken(Exception):
    """Another process has the lease."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(str(holder))
        self.holder = holder


class LeaseFiles:
    """The lease of a sweep in a folder."""

    look_s = 0.5
    """Seconds between two looks at another machine's lease."""

    def __init__(self, folder: SweepFolder) -> None:
        path = folder.path / "lease.json"
        assert isinstance(path, Path)
        self._folder, self._path, self._base = folder, path, folder.base
        self._lock = filelock.FileLock(_lock_path(path), thread_local=False)

    def lock(self) -> None:
        """Takes the kernel lock.

        Raises:
            Taken: a running process has it.
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
        """The current lease; None if there is none."""
        try:
            data = _read(self._path, self._base)
        except FileNotFoundError:
            return None
        return Seen(data, Holder.from_bytes(data))

    def is_dead(self, seen: Seen) -> bool:
        """Whether its holder is known to be dead: it ran on this machine, and its lock is free."""
        return seen.holder is not None and seen.holder.is_of_this_boot

    def is_alive(self, seen: Seen, beat_s: float) -> bool:
        """Whether its holder is known to be alive. Never on a disk: it would have the lock."""
        return False

    def take(self, holder: Holder, seen: Seen | None) -> None:
        """Replaces the dead lease that was seen.

        Raises:
            Taken: another driver was faster.
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
        """Moves the lease that was seen out of the way; if it is another one, puts it back."""
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
        """Checks that the lease is still this holder's.

        Raises:
            Taken: another process has it.
        """
        seen = self.look()
        if seen is not None and (seen.holder is None or seen.holder.id != holder.id):
            raise Taken(seen.holder)

    def renew(self, holder: Holder) -> None:
        """Writes a new beat.

        Raises:
            Taken: another process has the lease.
            StorageError: it could not be written.
        """
        self.verify(holder)
        try:
            nofollow.replace(self._path, holder.to_bytes(), self._base, is_durable=False)
        except OSError as error:
            raise _refused(self._path, error) from error

    def moved(self, folder: SweepFolder) -> None:
        """Tells the lease that the folder was renamed, and the lock with it."""
        assert isinstance(folder.path, Path)
        self._folder, self._path, self._base = folder, folder.path / "lease.json", folder.base

    def release(self, holder: Holder) -> None:
        """Deletes the lease if it is this holder's."""
        with contextlib.suppress(Taken, StorageError, OSError):
            self.verify(holder)
            nofollow.unlink(self._path, self._base)

    def unlock(self) -> None:
        self._lock.release()

    def live_holder(self) -> Holder | None:
        """The current holder, if it is alive."""
        if (seen := self.look()) is None:
            return None
        holder = seen.holder or Holder("unknown", 0, 0.0)
        if not holder.is_of(self._folder):
            return None
        if _is_locked(self._path, self._base):
            return holder
        return None if self.is_dead(replace(seen, holder=holder)) or not holder.beats else holder


def _check_lock(path: Path, base: Path | None) -> bool:
    """Whether the lock file exists. Refuses a link, a pipe and the like, because filelock opens it by its path."""
    lock = _lock_path(path)
    for problem in nofollow.problems(lock.parent, [lock.name], base):
        raise problem
    return nofollow.lstat(lock, base) is not None


def _is_locked(path: Path, base: Path | None) -> bool:
    """Whether a process of this machine has the lock; checked by taking it for an instant."""
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
    """The content of a lease file; cut off if it is too long to be one."""
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
