"""Whether arrays have room in memory, by what their file says of them; a compressed one may expand to any size."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil

from trainables.stored import StoredError, directory_bytes, read_array_header

_DIRECTORY_BYTES_MAX = 2**20
_CGROUP = Path("/sys/fs/cgroup")
GIB = 2**30


class NoRoomError(Exception):
    """Arrays are larger than the memory that is free."""


def check_directory(file: IO[bytes]) -> None:
    """Makes sure that the entries of an `.npz` file can be listed.

    Raises:
        StoredError: it does not end as a zip file does, or lists entries without end.
    """
    if directory_bytes(file, file.seek(0, 2)) > _DIRECTORY_BYTES_MAX:
        raise StoredError("it lists too many arrays")
    file.seek(0)


def check_room(archive: zipfile.ZipFile, names: Iterable[str]) -> None:
    """Makes sure that these arrays are as large as the archive says, and have room; reads their headers alone.

    Raises:
        StoredError: an array's header is damaged, or says another size.
        NoRoomError: they are too large.
    """
    needed_bytes = sum(_checked_bytes(archive, name) for name in names)
    if needed_bytes > (free := free_bytes()):
        raise NoRoomError(f"needs {needed_bytes / GIB:.1f} GiB of memory, but {free / GIB:.1f} GiB are free")


def free_bytes() -> int:
    """The memory that this process can still take: the machine's, or what its container has left of its limit."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return min(free, max(0, int(limit) - int(used)))
    except (OSError, ValueError):  # no cgroups of version 2, or no limit ("max")
        return free


def _checked_bytes(archive: zipfile.ZipFile, name: str) -> int:
    info = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.NameToInfo else name)
    with archive.open(info) as entry:
        header = read_array_header(entry, name)
    if header.size_bytes + header.nbytes != info.file_size:
        raise StoredError(f"{name} has {info.file_size} bytes, but its shape {header.shape} needs another number")
    return header.nbytes
