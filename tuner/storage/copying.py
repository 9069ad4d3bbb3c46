"""Copies files between folders, on file systems and object stores. Nothing is read through a link."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from tuner.base.errors import ForeignFileError, StorageError
from tuner.storage import nofollow, objectstore
from tuner.storage.files import AnyPath, read_bytes, write_atomically

if TYPE_CHECKING:
    from upath import UPath


def copy_file(source: AnyPath, target: AnyPath, name: str) -> bool:
    """Copies a file to another folder, durably; False if it does not exist or lies behind a link.

    Args:
        source: the folder to copy from.
        target: the folder to copy to; folders in between are created.
        name: the file's path relative to both, with slashes.

    Raises:
        StorageError: it cannot be read or written.
    """
    if not is_below(name):
        return False
    try:
        if not isinstance(source, Path):
            data = read_bytes(source / name)
        elif isinstance(target, Path):
            with _opened(source, name) as file:
                return _stream(file, target / name)
        else:
            with _opened(source, name) as file:
                data = file.read()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{source / name}: cannot be copied: {error.strerror or error}") from error
    if isinstance(target, Path):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target / name, data)
    return True


def files_below(folder: AnyPath, inside: str) -> list[str]:
    """The paths of all files below `folder / inside`, relative to `folder` and without links; for `copy_file`.

    Raises:
        StorageError: it cannot be listed.
    """
    if not isinstance(folder, Path):
        return sorted(versions_below(folder, inside))
    if (folder / inside).is_symlink():
        return []
    paths = (Path(top) / name for top, _, files in os.walk(folder / inside) for name in files)
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_file() and not path.is_symlink())


def versions_below(folder: UPath, inside: str) -> dict[str, str]:
    """The files below a folder of an object store, as `files_below` has them, each with a text that changes with it.

    Raises:
        StorageError: it cannot be listed.
    """
    remote = folder / inside
    found: dict[str, dict[str, Any]] = {}
    with contextlib.suppress(FileNotFoundError):
        found = objectstore.attempt(remote, "listed", lambda fs: dict(fs.find(remote.path, detail=True)))
    return {f"{inside}/{name.rpartition(f'/{inside}/')[2]}": _version(info) for name, info in found.items()}


def _version(info: dict[str, Any]) -> str:
    known = (info.get(name) for name in ("ETag", "etag", "LastModified", "mtime", "created"))
    return f"{info.get('size')} {next(filter(None, known), '')}"


def is_below(name: str) -> bool:
    """Whether a relative path, such as one from a journal, stays in its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


@contextlib.contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Opens a file of a folder.

    Raises:
        FileNotFoundError: it does not exist, is not a file, or lies behind a link.
    """
    try:
        handle = nofollow.open_file(folder / name, os.O_RDONLY, folder.parent)
    except (ForeignFileError, IsADirectoryError):
        raise FileNotFoundError(folder / name) from None
    with open(handle, "rb") as file:
        yield file


def _stream(source: BinaryIO, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
        file.flush()
        os.fsync(file.fileno())
    return True
