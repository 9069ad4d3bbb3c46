"""Downloaded data on this machine's disk, within a limit: what was unused for longest goes first, and nothing in use.

An entry is a folder. A process that uses one holds a lock on `ENTRY.used` to its end, as it may read the files at any
time. Whoever downloads or removes an entry holds `ENTRY.lock`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path

from trainables.reading.node_cache import limit_bytes

_held: dict[str, int] = {}
"""The open files of the locks that this process holds; a fork holds them with it."""


def hold(entry: Path) -> None:
    """Marks an entry as used, now and by this process to its end. Requires the entry's lock."""
    os.utime(entry)
    if str(entry) not in _held:
        file = _opened(entry)
        fcntl.flock(file, fcntl.LOCK_SH)
        _held[str(entry)] = file


def make_room(root: Path, size_bytes: int) -> None:
    """Removes entries until `size_bytes` more are within the limit, as far as nobody uses them.

    Raises:
        DataError: the variable that says the limit is no number.
    """
    from filelock import FileLock, Timeout

    entries = [path for path in root.iterdir() if path.is_dir() and "." not in path.name]
    sizes = {path: _size(path) for path in entries}
    excess = sum(sizes.values()) + size_bytes - limit_bytes()
    for path in sorted(entries, key=_used_at):
        if excess <= 0:
            return
        with suppress(Timeout), FileLock(f"{path}.lock", timeout=0):
            if _is_unused(path):
                shutil.rmtree(path, ignore_errors=True)
                excess -= sizes[path]


def remove_partial(entry: Path) -> None:
    """Removes what a process that was killed has left of an entry. Requires the entry's lock."""
    for left in entry.parent.glob(f"{entry.name}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _is_unused(entry: Path) -> bool:
    file = _opened(entry)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _opened(entry: Path) -> int:
    return os.open(f"{entry}.used", os.O_RDWR | os.O_CREAT, 0o600)


def _used_at(entry: Path) -> float:
    with suppress(FileNotFoundError):
        return entry.stat().st_mtime
    return 0.0


def _size(entry: Path) -> int:
    """The bytes of its files, as far as they are still there."""
    found = 0
    for folder, _, names in os.walk(entry):
        for name in names:
            with suppress(FileNotFoundError):
                found += os.lstat(os.path.join(folder, name)).st_size
    return found
