"""Reading, writing and deleting at a path, wherever it is: a disk, a shared folder or an object store.

On a file system a file is never reached through a link of its own name. With a `base`, such as `SweepFolder.base`, no
folder between may be a link, either; a link in the way is a ForeignFileError, a StorageError that says where it leads.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from tuner.base.errors import StorageError, TooLargeError
from tuner.storage import nofollow, objectstore

if TYPE_CHECKING:
    from upath import UPath

AnyPath: TypeAlias = "Path | UPath"
"""A Path on a file system, a UPath in an object store; both join with /, and have `name` and `parent`."""


def read_bytes(path: AnyPath, base: Path | None = None, *, bytes_max: int | None = None) -> bytes:
    """A file's content.

    Args:
        bytes_max: the most that it may be; a larger file is not read.

    Raises:
        FileNotFoundError: there is none.
        TooLargeError: it is larger than `bytes_max`.
        StorageError: it cannot be read.
    """
    if isinstance(path, Path):
        with _told(path, "read"), open(nofollow.open_file(path, os.O_RDONLY, base), "rb") as file:
            _check_size(path, os.fstat(file.fileno()).st_size, bytes_max)
            return file.read()
    remote = path
    if bytes_max is not None:
        _check_size(path, objectstore.attempt(remote, "read", lambda fs: int(fs.info(remote.path)["size"])), bytes_max)
    return objectstore.attempt(remote, "read", lambda fs: bytes(fs.cat_file(remote.path)))


def _check_size(path: AnyPath, size: int, bytes_max: int | None) -> None:
    if bytes_max is not None and size > bytes_max:
        raise TooLargeError(f"{path}: must have at most {bytes_max} bytes, but has {size}; it was not read")


def write_atomically(path: AnyPath, data: bytes, base: Path | None = None) -> None:
    """Writes a file so that a crash at any instant leaves either the old or the new one; durable on return.

    Raises:
        StorageError: it cannot be written; the old one is still there.
    """
    with _told(path, "written"):
        if isinstance(path, Path):
            nofollow.replace(path, data, base)
        else:
            objectstore.put(path, data)


def open_log(path: Path, base: Path | None = None) -> IO[bytes]:
    """A file to append to, made if it is not there.

    Raises:
        OSError: it cannot be written.
        ForeignFileError: it is not a file of its own.
    """
    return open(nofollow.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, base), "ab")


def exists(path: AnyPath, base: Path | None = None) -> bool:
    """Whether there is a file or a folder; without a base, links are followed.

    Raises:
        StorageError: that cannot be found out.
    """
    if isinstance(path, Path):
        with _told(path, "looked for"):
            return _exists(path) if base is None else nofollow.lstat(path, base) is not None
    remote = path
    with contextlib.suppress(FileNotFoundError):
        return bool(objectstore.attempt(remote, "read", lambda fs: fs.exists(remote.path)))
    return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # nothing can be called that
            return False
        raise


def names(folder: AnyPath, base: Path | None = None) -> list[str]:
    """The names of the files and folders in a folder, in order; none if it is not there.

    Raises:
        StorageError: it cannot be listed.
    """
    if isinstance(folder, Path):
        with _told(folder, "listed"):
            return nofollow.names(folder, base)
    remote = folder
    with contextlib.suppress(FileNotFoundError):
        listed = objectstore.attempt(remote, "listed", lambda fs: fs.ls(remote.path, detail=False))
        return sorted(filter(None, (objectstore.name_in(remote, str(path)) for path in listed)))
    return []


def delete(path: AnyPath, base: Path | None = None) -> None:
    """Deletes one file; does nothing if it is not there. A folder stays, and on a file system a link.

    Raises:
        StorageError: it cannot be deleted.
    """
    with _told(path, "deleted"), contextlib.suppress(FileNotFoundError):
        if isinstance(path, Path):
            nofollow.unlink(path, base)
        else:
            remote = path
            objectstore.attempt(remote, "deleted", lambda fs: fs.rm_file(remote.path))


def make_folder(path: AnyPath, base: Path | None = None) -> None:
    """Makes a folder in one that is there; object stores need none.

    Raises:
        StorageError: it cannot be made.
    """
    if isinstance(path, Path):
        with _told(path, "written"):
            nofollow.make_folder(path, base)


def remove_empty_folder(path: AnyPath, base: Path | None = None) -> None:
    """Removes a folder if nothing is in it; object stores have none that are empty.

    Raises:
        StorageError: it cannot be looked for.
    """
    if isinstance(path, Path):
        with _told(path, "deleted"):
            nofollow.remove_empty_folder(path, base)


def sync_folder(folder: Path) -> None:
    """Makes what was created in or renamed within a folder durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _told(path: AnyPath, what: str) -> Iterator[None]:
    """Turns what the system refuses into a line for the user; what is missing when read stays FileNotFoundError."""
    try:
        yield
    except OSError as error:
        if what == "read" and isinstance(error, FileNotFoundError):
            raise
        reason = error.strerror or str(error)
        raise StorageError(f"{path}: cannot be {what}: {reason}; nothing acknowledged is lost") from error
