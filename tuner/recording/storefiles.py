"""Watches the files of a tracking store on this machine: whether they were deleted, replaced or emptied.

SQLite continues to use an open file after it is deleted. Writes then fail as if it were read-only, or are lost.
"""

from __future__ import annotations

import os
import stat
import weakref
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuner.recording.database import sqlite_file
from tuner.recording.target import RunsLostError, Target

_Identity = tuple[int, int]
"""(device, inode)."""


class StoreFiles:
    """A target's SQLite file and artifact folder, as they were when a recorder connected; empty for a server."""

    def __init__(self, target: Target) -> None:
        self._database = sqlite_file(target.uri)
        self._artifacts = _folder(target.artifact_location)
        self._seen: dict[Path, _Identity] = {}
        self._held: dict[Path, int] = {}
        weakref.finalize(self, _close, self._held)
        if self._database is not None:
            self._look()

    def check(self) -> None:
        """Checks them again, with one system call each.

        Raises:
            RunsLostError: one was deleted, replaced or emptied; the message says which.
        """
        if self._database is None:
            return
        before = dict(self._seen)
        self._look()
        for path, identity in before.items():
            is_other = path in self._seen and self._seen[path] != identity
            if path not in self._seen or (is_other and is_empty(path)):  # SQLite makes an empty file where none is
                raise RunsLostError(f"{path} was deleted while the sweep was recorded")
            if is_other:
                kind = "folder" if path == self._artifacts else "file"
                raise RunsLostError(f"{path} was replaced by another {kind} while the sweep was recorded")
        if is_empty(self._database):
            raise RunsLostError(f"{self._database} was emptied while the sweep was recorded")

    def _look(self) -> None:
        """Notes the identity of the files. One that cannot be accessed counts as unchanged: that is another error."""
        for path in filter(None, (self._database, self._artifacts)):
            try:
                found = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                self._seen.pop(path, None)
            except OSError:
                pass
            else:
                self._seen[path] = (found.st_dev, found.st_ino)
                self._hold(path)

    def _hold(self, path: Path) -> None:
        """Keeps the file's inode in use, or the next file at this path, another recorder's, may get the same number.

        O_PATH, since SQLite loses its locks when another descriptor of the database is closed.
        """
        if path not in self._held and hasattr(os, "O_PATH"):
            with suppress(OSError):
                self._held[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)


def _close(held: dict[Path, int]) -> None:
    for descriptor in held.values():
        os.close(descriptor)


def is_missing(path: Path) -> bool:
    """Whether the file certainly does not exist."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_empty(path: Path) -> bool:
    """Whether the file exists and is empty."""
    try:
        found = os.stat(path)
        return stat.S_ISREG(found.st_mode) and found.st_size == 0
    except OSError:
        return False


def _folder(location: str | None) -> Path | None:
    """The folder of a file URI."""
    parts = urlsplit(location or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
