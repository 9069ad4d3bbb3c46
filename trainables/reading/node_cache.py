"""Decoded data on this machine's disk: made once, whichever process needs them first, and removed when unused.

An entry is a folder that appears by rename when it is complete, under a file lock; a process that is killed meanwhile
leaves nothing that counts. Entries lie in $XDG_CACHE_HOME/tuner/decoded, or in the folder for temporary files where
there can be no such folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from trainables.contract import DataError

LIMIT_VARIABLE = "TUNER_CACHE_BYTES"
LIMIT_BYTES = 50 * 2**30
UNUSED_DAYS = 14
"""An entry that no process has opened for so long is removed when the next one is made."""
_FREE_SHARE = 0.1
"""Of the disk, which stays free."""
_VERSION = 1
"""Of the form of entries."""
META = "meta.json"
"""The last file of an entry that is written."""


T = TypeVar("T")


class TooLargeError(Exception):
    """An entry would be larger than the limit."""


def limit_bytes() -> int:
    """How large all entries together may be.

    Raises:
        DataError: the variable that says it is no number.
    """
    text = os.environ.get(LIMIT_VARIABLE)
    try:
        limit = LIMIT_BYTES if text is None else int(text)
        if limit < 0:
            raise ValueError
    except ValueError:
        raise DataError(f"{LIMIT_VARIABLE} must be a number of bytes from 0 on, but is {text!r}") from None
    return limit


def folder() -> Path:
    """Where entries lie on this machine; it exists."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tuner" / "decoded"
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.access(path, os.W_OK):
            return path
    except OSError:
        pass  # a container's user may have no home
    path = Path(tempfile.gettempdir()) / f"tuner-decoded-{os.getuid()}"
    path.mkdir(exist_ok=True, mode=0o700)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise DataError(f"{path}: must be this user's, as decoded data are kept there, but is not; set XDG_CACHE_HOME")
    return path


def key_of(*parts: object) -> str:
    """Names an entry by all that decides what is in it."""
    return hashlib.sha256(repr((_VERSION, *parts)).encode()).hexdigest()[:24]


def entry(key: str, make: Callable[[Path, int], None], use: Callable[[Path], T]) -> T | None:
    """What `use` makes of the folder of an entry; None if the entry would be larger than the limit.

    Args:
        make: fills a new folder with at most so many bytes; raises TooLargeError beyond.
        use: opens the files that are read. It runs under the entry's lock, so that nobody removes them before.

    Raises:
        DataError: the disk cannot be used.
        Exception: whatever `make` and `use` raise.
    """
    from filelock import FileLock

    root = folder()
    path = root / key
    try:
        with FileLock(root / f"{key}.lock"):
            if not (path / META).exists() and not _made(root, key, make):
                return None
            os.utime(path)
            return use(path)
    except OSError as error:
        where = error.filename or root
        raise DataError(f"{where}: decoded data cannot be kept: {error.strerror or error}") from error


def _made(root: Path, key: str, make: Callable[[Path, int], None]) -> bool:
    """Makes an entry under its lock; False if it is too large."""
    _remove(root / key)
    for left in root.glob(f"{key}.*.part"):  # of a process that was killed
        _remove(left)
    disk = shutil.disk_usage(root)
    room = min(limit_bytes(), max(0, disk.free - int(_FREE_SHARE * disk.total)))
    partial = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=root))
    try:
        make(partial, room)
        trim(root, limit_bytes() - _size(partial))
        os.replace(partial, root / key)
    except TooLargeError:
        return False
    finally:
        _remove(partial)
    return True


def trim(root: Path, room: int) -> None:
    """Removes entries that are unused for long, then those unused for longest, until the rest fits into `room` bytes.

    A process that has an entry open keeps reading it: its file is gone only when the last one has closed it.
    """
    from filelock import FileLock, Timeout

    found = [(path.stat().st_mtime, path) for path in root.iterdir() if path.is_dir()]
    oldest = time.time() - UNUSED_DAYS * 86_400
    for used_at, path in sorted(found, reverse=True):
        is_partial = path.name.endswith(".part")
        size = 0 if is_partial else _size(path)
        if used_at >= oldest and (is_partial or size <= room):
            room -= size
            continue
        with suppress(Timeout), FileLock(root / f"{path.name.partition('.')[0]}.lock", timeout=0):
            _remove(path)


def _size(path: Path) -> int:
    """The bytes of an entry, as far as it is still there."""
    with suppress(FileNotFoundError):
        return sum(file.stat().st_size for file in path.iterdir())
    return 0


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
