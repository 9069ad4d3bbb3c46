"""Opens files and folders without following links, one folder at a time.

A path is walked from a `base`. The base and everything above it may be links; nothing below it may. A folder is held
open while a name is looked up in it, so that replacing it with a link in the meantime has no effect.
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
"""Enough to look up names, even in a folder that may not be listed."""
_LISTED = os.O_DIRECTORY | os.O_CLOEXEC | os.O_RDONLY
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Non-blocking, so that a pipe in place of a file is refused rather than waited for."""
_KINDS = {
    stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


@contextlib.contextmanager
def folder_of(path: Path, base: Path | None = None) -> Iterator[int]:
    """Opens the folder of a path, as a handle for `dir_fd`.

    Args:
        base: where the walk starts; by default at that folder itself.

    Raises:
        ForeignFileError: a folder on the way is a link, or the path leads out of the base.
        OSError: it does not exist, or may not be opened.
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
    """Opens a file, like `os.open`.

    A file that is opened for writing must have no other hard links, because a write would also change the file
    elsewhere, such as in a copy that was made with hard links.

    Raises:
        ForeignFileError: it is a link, a pipe or a device, or it has other hard links and is opened for writing.
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
            f"{path}: has {found.st_nlink} hard links, and a write would change the file under every name; give the"
            f" sweep a file of its own: cp -p {path.name} own && mv own {path.name}"
        )


def replace(path: Path, data: bytes, base: Path | None = None, *, is_durable: bool = True) -> None:
    """Writes a new file and moves it over whatever was there, even a link.

    Raises:
        ForeignFileError: a folder on the way is a link.
        OSError: it cannot be written; what was there is unchanged.
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
    """Creates a file for writing.

    Raises:
        FileExistsError: something has this name, even a dangling link.
    """
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o666, dir_fd=folder)


def _new_in_any_case(folder: int, name: str) -> int:
    """Like `new_file`, but first deletes what a killed process left, or somebody planted, under this name."""
    try:
        return new_file(folder, name)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        return new_file(folder, name)


def _sync(folder: int) -> None:
    """Makes the names in a folder durable, if the file system supports it."""
    with contextlib.suppress(OSError):
        handle = os.open(".", _LISTED, dir_fd=folder)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def lstat(path: Path, base: Path | None = None) -> os.stat_result | None:
    """The status of a path, without following it if it is a link; None if nothing has this name.

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
    """The sorted names in a folder; empty if it does not exist.

    Raises:
        ForeignFileError: the folder, or one on the way, is a link.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder_of(path / "_", base) as folder:
        handle = os.open(".", _LISTED, dir_fd=folder)
        try:
            return sorted(os.listdir(handle))
        finally:
            os.close(handle)
    return []


def unlink(path: Path, base: Path | None = None) -> None:
    """Deletes a regular file; anything else, such as a link, is left."""
    with folder_of(path, base) as folder:
        found = _lstat(folder, path.name)
        if found is not None and stat.S_ISREG(found.st_mode):
            os.unlink(path.name, dir_fd=folder)


def make_folder(path: Path, base: Path | None = None) -> None:
    """Creates a folder in an existing one, unless it exists."""
    with folder_of(path, base) as folder, contextlib.suppress(FileExistsError):
        os.mkdir(path.name, dir_fd=folder)


def remove_empty_folder(path: Path, base: Path | None = None) -> None:
    """Removes a folder if it is empty."""
    with folder_of(path, base) as folder, contextlib.suppress(OSError):
        os.rmdir(path.name, dir_fd=folder)


def problems(path: Path, wanted: Iterable[str], base: Path | None = None) -> list[ForeignFileError]:
    """The problems with these names in a folder: links, pipes and the like. Missing names are no problem."""
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
        return ForeignFileError(f"{path}: is {what}, not one of the sweep's own files; remove it")
    target = "somewhere else"
    with contextlib.suppress(OSError):
        target = os.readlink(path.name, dir_fd=folder)
    return ForeignFileError(
        f"{path}: is a link to {target}; nothing of a sweep is read, written or deleted through links: replace it"
        f" with what it leads to, or remove it (the storage root itself may be a link: {option('storage')})"
    )
