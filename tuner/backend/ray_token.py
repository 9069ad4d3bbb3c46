"""Ray's token, which a client must present at Ray's ports. On this machine only this user can read it.

If Ray finds no token, it makes one in a file that every user can read, and it accepts a file that others can read. So
this makes a file of mode 600 before Ray starts. Ray looks in $RAY_AUTH_TOKEN, in the file that $RAY_AUTH_TOKEN_PATH
names, and in ~/.ray/auth_token.
"""

from __future__ import annotations

import os
import pwd
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tuner.base.errors import UsageError

PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"
LONGEST_BYTES = 4096
"""Ray's own tokens have 64 bytes; a much longer file is not read to its end."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def ensure_token(note: Callable[[str], None]) -> None:
    """Makes sure that Ray finds a token that no other user can read; notes if others could read it before.

    Raises:
        UsageError: there is none and none can be made, or it cannot be kept from other users.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return  # other users cannot read a process's environment
    path = _path()
    try:
        _ensure_folder(path, note)
        if not _make(path):
            _tighten(path, note)
    except OSError as error:
        raise _refused(path, f"which cannot be made or read: {error.strerror or error}") from error
    os.environ[PATH_VARIABLE] = str(path)  # Ray's own look at the home differs where $HOME is not set


def tighten_token(path: Path, note: Callable[[str], None]) -> None:
    """Makes a token file unreadable for other users, and notes it; as `ensure_token`, but makes no token.

    Raises:
        UsageError: it is another user's file, or not a token.
    """
    try:
        _tighten(path, note)
    except OSError as error:
        raise UsageError(f"{path}, Ray's token, cannot be read: {error.strerror or error}") from error


def _path() -> Path:
    named = os.environ.get(PATH_VARIABLE)
    if named:
        return Path(named).absolute()
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():
        raise UsageError(
            f"$HOME: must be an absolute path, as Ray's token is kept below it, but got {str(home)!r};"
            f" set HOME, or ${PATH_VARIABLE} to a file of yours"
        )
    return home / ".ray" / "auth_token"


def _refused(path: Path, why: str) -> UsageError:
    moves_it = "a file" if os.environ.get(PATH_VARIABLE) else "a file elsewhere, or HOME to a folder"
    return UsageError(f"Ray on this machine needs a token in {path}, {why}; set {PATH_VARIABLE} to {moves_it} of yours")


def _ensure_folder(path: Path, note: Callable[[str], None]) -> None:
    """Makes the token's folder if it is missing, and makes sure that others cannot replace the token in it."""
    folder = path.parent
    with suppress(FileExistsError):
        folder.mkdir(0o700)  # without its parents: a missing home is not made
    found = folder.stat()
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if not others_write:
        return
    if folder.name != ".ray" or found.st_uid != os.geteuid():
        raise _refused(path, f"but other users can write to {folder}")
    folder.chmod(0o700)
    note(f"{folder} could be written by other users: its mode is 700 now")


def _make(path: Path) -> bool:
    """Writes a new token; False if there is a file, which may be a link."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    with open(handle, "w") as file:
        os.fchmod(handle, 0o600)  # a umask may have taken more away
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(handle)
    return True


def _tighten(path: Path, note: Callable[[str], None]) -> None:
    """Checks the existing token, and makes it unreadable for others."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise _refused(path, "which is no file")
        if found.st_uid != os.geteuid():
            raise _refused(path, f"but that file is {_user(found.st_uid)}'s, who could run code as you")
        if found.st_mode & _OTHERS:
            os.fchmod(handle, 0o600)
            if os.fstat(handle).st_mode & _OTHERS:
                raise _refused(path, "which other users can read, and its file system keeps no modes")
            note(
                f"{path}, Ray's token, could be read by other users: its mode is 600 now; if somebody may have read it,"
                f" delete it, and the next run makes another"
            )
        if _is_empty(handle):
            raise _refused(path, "but that file is empty; delete it, and the next run makes one")
    finally:
        os.close(handle)


def _is_empty(handle: int) -> bool:
    """Whether the file is empty and stays so for a moment: another run may have just made it."""
    for _ in range(20):
        if os.pread(handle, LONGEST_BYTES, 0).strip():
            return False
        time.sleep(0.1)
    return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
