"""Reads, writes and deletes at a path on a disk, a shared folder or an object store.

On a file system, a file that is a link is never followed. With a `base`, such as `SweepFolder.base`, no folder between
the base and the file may be a link, either. A link raises ForeignFileError, a StorageError that says where it leads.
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
"""A Path on a file system or a UPath in an object store; both join with /, and have `name` and `parent`."""


def read_bytes(path: AnyPath, base: Path | None = None, *, bytes_max: int | None = None) -> bytes:
    """A file's content.

    Args:
        bytes_max: a larger file is not read.

    Raises:
        FileNotFoundError: it does not exist.
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
    """Writes a file so that a crash at any time leaves either the old or the new one; durable on return.

    Raises:
        StorageError: it cannot be written; the old file is unchanged.
    """
    with _told(path, "written"):
        if isinstance(path, Path):
            nofollow.replace(path, data, base)
        else:
            objectstore.put(path, data)


def open_log(path: Path, base: Path | None = None) -> IO[bytes]:
    """Opens a file for appending, and creates it if it does not exist.

    Raises:
        OSError: it cannot be written.
        ForeignFileError: it is a link, or not a regular file.
    """
    return open(nofollow.open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, base), "ab")


def exists(path: AnyPath, base: Path | None = None) -> bool:
    """Whether a file or a folder exists; without a base, links are followed.

    Raises:
        StorageError: this cannot be determined.
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
        if error.errno == errno.ENAMETOOLONG:  # nothing can have such a name
            return False
        raise


def names(folder: AnyPath, base: Path | None = None) -> list[str]:
    """The sorted names of the files and folders in a folder; empty if it does not exist.

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
    """Deletes one file if it exists. Folders, and on a file system links, are not deleted.

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
    """Creates a folder in an existing one. Does nothing on an object store, which needs no folders.

    Raises:
        StorageError: it cannot be created.
    """
    if isinstance(path, Path):
        with _told(path, "written"):
            nofollow.make_folder(path, base)


def remove_empty_folder(path: AnyPath, base: Path | None = None) -> None:
    """Removes a folder if it is empty. Does nothing on an object store, which has no empty folders.

    Raises:
        StorageError: it cannot be accessed.
    """
    if isinstance(path, Path):
        with _told(path, "deleted"):
            nofollow.remove_empty_folder(path, base)


def sync_folder(folder: Path) -> None:
    """Makes creations and renames in a folder durable, if the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _told(path: AnyPath, what: str) -> Iterator[None]:
    """Turns an OSError into a StorageError; FileNotFoundError is kept when reading."""
    try:
        yield
    except OSError as error:
        if what == "read" and isinstance(error, FileNotFoundError):
            raise
        reason = error.strerror or str(error)
        raise StorageError(f"{path}: cannot be {what}: {reason}; nothing acknowledged is lost") from error
