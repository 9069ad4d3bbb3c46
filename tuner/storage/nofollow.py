"""Files and folders opened without following a link, one folder after the other.

A path is walked from a `base`, which may be a link, as may be all above it; nothing below may. A folder is held open
while a name is looked up in it, so that a link that somebody puts in its place meanwhile leads nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuner.base.errors import ForeignFileError
from tuner.base.hints import option
from tuner.storage.names import unfinished_name

_SEARCHED = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
"""Enough to look up names, even where the names may not be listed."""
_LISTED = os.O_DIRECTORY | os.O_CLOEXEC | os.O_RDONLY
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""A pipe in a file's place is refused, not waited for."""
_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@contextlib.contextmanager
def folder_of(path: Path, base: Path | None = None) -> Iterator[int]:
    """The folder that a path is in, as a handle for `dir_fd`.

    Args:
        base: where the walk begins; by default in that folder itself.

    Raises:
        ForeignFileError: a folder on the way is a link, or the path leads out of the base.
        OSError: there is none, or it may not be opened.
    """
    base = path.parent if base is None else base
    if ".." in path.parts[len(base.parts) :] or not path.is_relative_to(base):
        raise ForeignFileError(f"{path}: leads out of {base}, where only the sweep's own files are used")
    handle, here = os.open(base, _SEARCHED), base
    try:
        for part in path.parent.relative_to(base).parts:
            here = here / part
            outer, handle = handle, _inner(handle, here)
            os.close(outer)
        yield handle
    finally:
        os.close(handle)


def _inner(folder: int, path: Path) -> int:
    try:
        return os.open(path.name, _SEARCHED | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and (found := _lstat(folder, path.name)) is not None:
            if stat.S_ISREG(found.st_mode):
                raise
            raise _refusal(folder, path, found) from None
        raise


def open_file(path: Path, flags: int, base: Path | None = None) -> int:
    """Opens a file, as `os.open`.

    One that is to be written in place must have no other name: a hard link would change what lies elsewhere, a copy
    that was made by links, say.

    Raises:
        ForeignFileError: it is a link, a pipe, a device, or has another name and is to be written.
        OSError: it cannot be opened, or is a folder.
    """
    with folder_of(path, base) as folder:
        try:
            handle = os.open(path.name, flags | _FILE, 0o666, dir_fd=folder)
        except OSError as error:
            found = _lstat(folder, path.name)
            if found is None or stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                raise
            raise _refusal(folder, path, found) from error
        try:
            _check_opened(folder, path, os.fstat(handle), flags)
        except BaseException:
            os.close(handle)
            raise
        return handle


def _check_opened(folder: int, path: Path, found: os.stat_result, flags: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise _refusal(folder, path, found)
    if flags & (os.O_WRONLY | os.O_RDWR) and found.st_nlink > 1:
        raise ForeignFileError(
            f"{path}: has {found.st_nlink} names (hard links), and a write would change what the others name; give the"
            f" sweep a file of its own: cp -p {path.name} own && mv own {path.name}"
        )


def replace(path: Path, data: bytes, base: Path | None = None, *, is_durable: bool = True) -> None:
    """Writes a new file and puts it in the place of what was there, be that a link.

    Raises:
        ForeignFileError: a folder on the way is a link.
        OSError: it cannot be written; what was there still is.
    """
    with folder_of(path, base) as folder:
        temporary = unfinished_name(path.name)
        try:
            with open(_new_in_any_case(folder, temporary), "wb") as file:
                file.write(data)
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if is_durable:
            _sync(folder)


def new_file(folder: int, name: str) -> int:
    """A file that must not be there yet, to be written.

    Raises:
        FileExistsError: something has this name, be it a link that leads nowhere.
    """
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder)


def _new_in_any_case(folder: int, name: str) -> int:
    """What a killed process left, or somebody planted, under this name goes first."""
    try:
        return new_file(folder, name)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        return new_file(folder, name)


def _sync(folder: int) -> None:
    """Makes a folder's names durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(".", _LISTED, dir_fd=folder)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lstat(path: Path, base: Path | None = None) -> os.stat_result | None:
    """What a name stands for, a link for itself; None if nothing has it.

    Raises:
        ForeignFileError: a folder on the way is a link.
    """
    try:
        with folder_of(path, base) as folder:
            return _lstat(folder, path.name)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return None
        raise


def _lstat(folder: int, name: str) -> os.stat_result | None:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return None


def names(path: Path, base: Path | None = None) -> list[str]:
    """The names in a folder, in order; none if there is no such folder.

    Raises:
        ForeignFileError: it, or a folder on the way, is a link.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder_of(path / "_", base) as folder:
        handle = os.open(".", _LISTED, dir_fd=folder)
        try:
            return sorted(os.listdir(handle))
        finally:
            os.close(handle)
    return []


def unlink(path: Path, base: Path | None = None) -> None:
    """Deletes a file; what is none, such as a link, stays."""
    with folder_of(path, base) as folder:
        found = _lstat(folder, path.name)
        if found is not None and stat.S_ISREG(found.st_mode):
            os.unlink(path.name, dir_fd=folder)


def make_folder(path: Path, base: Path | None = None) -> None:
    """Makes a folder in one that is there; does nothing if it is there already."""
    with folder_of(path, base) as folder, contextlib.suppress(FileExistsError):
        os.mkdir(path.name, dir_fd=folder)


def remove_empty_folder(path: Path, base: Path | None = None) -> None:
    """Removes a folder; one that still holds something stays."""
    with folder_of(path, base) as folder, contextlib.suppress(OSError):
        os.rmdir(path.name, dir_fd=folder)


def problems(path: Path, wanted: Iterable[str], base: Path | None = None) -> list[ForeignFileError]:
    """Which of these names in a folder stand for a link, a pipe or the like; those that are not there do not."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder_of(path / "_", base) as folder:
        for name in wanted:
            there = _lstat(folder, name)
            if there is not None and not stat.S_ISREG(there.st_mode) and not stat.S_ISDIR(there.st_mode):
                found.append(_refusal(folder, path / name, there))
    return found


def _refusal(folder: int, path: Path, found: os.stat_result) -> ForeignFileError:
    if not stat.S_ISLNK(found.st_mode):
        what = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        return ForeignFileError(f"{path}: is {what}, and none of the sweep's own files; remove it")
    target = "somewhere else"
    with contextlib.suppress(OSError):
        target = os.readlink(path.name, dir_fd=folder)
    return ForeignFileError(
        f"{path}: is a link to {target}; nothing of a sweep is read, written or deleted through links: put what it"
        f" leads to in its place, or remove it (the storage root itself may be a link: {option('storage')})"
    )
