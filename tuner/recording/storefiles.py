"""The files of a tracking store on this machine: whether they are still those in which was recorded.

SQLite goes on with an open file that was deleted: writes are refused as if its rights had changed, or lost in silence.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuner.recording.database import sqlite_file
from tuner.recording.target import RunsLostError, Target

_Identity = tuple[int, int]
"""Device and inode."""


class StoreFiles:
    """A target's SQLite file, and its folder of artifacts, as they were when a recorder connected; none of a server."""

    def __init__(self, target: Target) -> None:
        self._database = sqlite_file(target.uri)
        self._artifacts = _folder(target.artifact_location)
        self._seen: dict[Path, _Identity] = {}
        if self._database is not None:
            self._look()

    def check(self) -> None:
        """Looks at them again, at the cost of a system call each.

        Raises:
            RunsLostError: they are gone, or others; the message says which, and what happened to them.
        """
        if self._database is None:
            return
        before = dict(self._seen)
        self._look()
        for path, identity in before.items():
            if path not in self._seen:
                raise RunsLostError(f"{path} was deleted while the sweep was recorded")
            if self._seen[path] != identity:
                raise RunsLostError(f"{path} was replaced by another one while the sweep was recorded")
        if is_empty(self._database):
            raise RunsLostError(f"{self._database} was emptied while the sweep was recorded")

    def _look(self) -> None:
        """Notes what is there. What cannot be asked for is as it was: a disk that fails is trouble of another kind."""
        for path in filter(None, (self._database, self._artifacts)):
            try:
                found = os.stat(path)
            except (FileNotFoundError, NotADirectoryError):
                self._seen.pop(path, None)
            except OSError:
                pass
            else:
                self._seen[path] = (found.st_dev, found.st_ino)


def is_missing(path: Path) -> bool:
    """Whether there is certainly no such file."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_empty(path: Path) -> bool:
    """Whether the file is there, and has nothing in it."""
    try:
        found = os.stat(path)
        return stat.S_ISREG(found.st_mode) and found.st_size == 0
    except OSError:
        return False


def _folder(location: str | None) -> Path | None:
    """The folder of a file URI."""
    parts = urlsplit(location or "")
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
