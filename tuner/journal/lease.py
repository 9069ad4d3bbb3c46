"""The lease: at most one driver works on a sweep. The kernel frees a dead holder's lock at once."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from tuner.errors import SweepHeldError

PROBE_S = 1.0
"""Whoever looks if a sweep is held holds it for an instant; a driver waits that out."""


@dataclass(frozen=True)
class Holder:
    """Who works on a sweep, for messages."""

    host: str
    pid: int
    since: float

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host}, since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}"
        )


class Lease:
    """An exclusive lock on a sweep's folder; the lease file beside the lock says who holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = filelock.FileLock(_lock_path(path), thread_local=False)

    def acquire(self) -> None:
        """Takes the lease.

        Raises:
            SweepHeldError: another driver holds it; the message says which.
        """
        try:
            self._lock.acquire(timeout=PROBE_S)
        except filelock.Timeout:
            holder = read_holder(self._path)
            who = str(holder) if holder else "another process"
            raise SweepHeldError(
                f"sweep {self._path.parent.name}: one driver at a time works on a sweep, but {who}, holds it;"
                f" wait for it, or stop it with Ctrl-C there"
            ) from None
        holder = Holder(socket.gethostname(), os.getpid(), time.time())
        try:
            self._path.write_text(json.dumps(asdict(holder)))
        except OSError:
            self._lock.release()
            raise

    def moved(self, path: Path) -> None:
        """The folder was renamed; the lock went with it."""
        self._path = path

    def release(self) -> None:
        """Frees the sweep; does nothing a second time."""
        if self._lock.is_locked:
            self._path.unlink(missing_ok=True)
            self._lock.release()


def read_holder(path: Path) -> Holder | None:
    """The driver that holds the lease now; None if nobody does. Takes nothing away from a holder."""
    probe = filelock.FileLock(_lock_path(path), blocking=False)
    if not _lock_path(path).exists():
        return None
    try:
        with probe:
            return None
    except filelock.Timeout:
        try:
            return Holder(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return Holder("unknown", 0, 0.0)
    except OSError:
        return None


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")
