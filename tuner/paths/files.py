"""Reading, writing and deleting at a path, wherever it is: a disk, a shared folder or an object store."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tuner.errors import StorageError, TooLargeError
from tuner.paths import objectstore

if TYPE_CHECKING:
    from upath import UPath

AnyPath: TypeAlias = "Path | UPath"
"""A Path on a file system, a UPath in an object store; both join with /, and have `name` and `parent`."""


def read_bytes(path: AnyPath, bytes_max: int | None = None) -> bytes:
    """A file's content.

    Args:
        bytes_max: the most that it may be; a larger file is not read.

    Raises:
        FileNotFoundError: there is none.
        TooLargeError: it is larger than `bytes_max`.
        StorageError: it cannot be read.
    """
    if isinstance(path, Path):
        with _told(path, "read"), open(path, "rb") as file:
            _check_size(path, os.fstat(file.fileno()).st_size, bytes_max)
            return file.read()
    remote = path
    if bytes_max is not None:
        _check_size(path, objectstore.attempt(remote, "read", lambda fs: int(fs.info(remote.path)["size"])), bytes_max)
    return objectstore.attempt(remote, "read", lambda fs: bytes(fs.cat_file(remote.path)))


def _check_size(path: AnyPath, size: int, bytes_max: int | None) -> None:
    if bytes_max is not None and size > bytes_max:
        raise TooLargeError(f"{path}: must have at most {bytes_max} bytes, but has {size}; it was not read")


def write_atomically(path: AnyPath, data: bytes) -> None:
    """Writes a file so that a crash at any instant leaves either the old or the new one; durable on return.

    Raises:
        StorageError: it cannot be written; the old one is still there.
    """
    if not isinstance(path, Path):
        with _told(path, "written"):
            objectstore.put(path, data)
        return
    with _told(path, "written"):
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def exists(path: AnyPath) -> bool:
    """Whether there is a file or a folder.

    Raises:
        StorageError: that cannot be found out.
    """
    if isinstance(path, Path):
        with _told(path, "looked for"):
            return _exists(path)
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


def names(folder: AnyPath) -> list[str]:
    """The names of the files and folders in a folder, in order; none if it is not there.

    Raises:
        StorageError: it cannot be listed.
    """
    if isinstance(folder, Path):
        with _told(folder, "listed"):
            return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    remote = folder
    with contextlib.suppress(FileNotFoundError):
        listed = objectstore.attempt(remote, "listed", lambda fs: fs.ls(remote.path, detail=False))
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in listed)
    return []


def delete(path: AnyPath) -> None:
    """Deletes a file, or a folder with all in it; does nothing if it is not there.

    Raises:
        StorageError: it cannot be deleted.
    """
    if not isinstance(path, Path):
        remote = path
        with contextlib.suppress(FileNotFoundError):
            objectstore.attempt(remote, "deleted", lambda fs: fs.rm(remote.path, recursive=True))
        return
    with _told(path, "deleted"), contextlib.suppress(FileNotFoundError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


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
