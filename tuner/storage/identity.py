"""The identity of a storage root: an id in a small file, which moves along when the whole root is moved or copied."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import msgspec

from tuner.base.errors import StorageError
from tuner.storage.files import read_bytes, sync_folder
from tuner.storage.folders import StorageRoot
from tuner.storage.objectstore import put_new


class _Identity(msgspec.Struct):
    id: str


def root_id(root: StorageRoot) -> str:
    """A root's id; empty if it has none, because only older versions created sweeps in it.

    Raises:
        StorageError: the file is damaged or cannot be read; the message says what to do.
    """
    try:
        data = read_bytes(root.identity)
    except FileNotFoundError:
        return ""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if found := msgspec.json.decode(data, type=_Identity).id:
            return found
    raise StorageError(
        f"{root.identity}: must hold the storage root's id, but is damaged; restore it, or remove it to rebuild it"
        f" from the journals beside it"
    )


def made_root_id(root: StorageRoot, known: Callable[[], str] = lambda: "") -> str:
    """A root's id, which is created if it has none. If several processes create it, the first one wins.

    Args:
        known: returns the id that the root had before its file was lost; empty for none.

    Raises:
        StorageError: the root cannot be written, or the file is damaged.
    """
    if isinstance(path := root.identity, Path):
        with _must_be_writable(root):
            path.parent.mkdir(parents=True, exist_ok=True)
    if found := root_id(root):
        return found
    data = msgspec.json.encode(_Identity(known() or uuid.uuid4().hex)) + b"\n"
    with _must_be_writable(root), contextlib.suppress(FileExistsError):
        _create(path, data) if isinstance(path, Path) else put_new(path, data)
    return root_id(root)


def _create(path: Path, data: bytes) -> None:
    """Writes a new file atomically.

    Raises:
        FileExistsError: it exists.
    """
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _link(temporary, path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _must_be_writable(root: StorageRoot) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{root.path}: the storage root must be writable, but {error.strerror or error}") from error


def _link(made: Path, path: Path) -> None:
    """Gives a file its final name.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with filelock.FileLock(path.with_suffix(".lock")):
            if path.exists():
                raise FileExistsError(str(path)) from None
            os.rename(made, path)
