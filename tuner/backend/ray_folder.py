"""The folder of a local Ray, for this user only: sockets, logs and what trainables print.

Ray makes its folders readable and writable for everybody, in a shared temporary folder and with a name that others can
guess. So it gets a folder inside one of mode 700 with a random name, which is removed when Ray has ended. The next
driver removes what a killed one left.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import string
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tuner.backend import outputs
from tuner.base.errors import ServiceError, UsageError

_NAME = re.compile(r"tuner-[a-z0-9]{4}")
"""Short, as all paths of sockets below it are."""
_MARKER = "tuner-ray.json"
"""Marks such a folder, and names the folder that keeps what its workers print."""
_SESSION = "session_2000-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
SOCKET_BYTES = 107
"""The longest path of a socket."""
FREE_BYTES = 64 << 20
"""What must be free: some of Ray's processes exit without a message when they cannot write their logs."""
_ATTEMPTS = 1000
_LATE_S = 60.0
"""So long after it was made by a late worker, nobody is at work in a folder."""


def base() -> tuple[Path, str]:
    """Where Ray's folders are made, by Ray's own rule, and the variable that decides it."""
    for name in ("RAY_TMPDIR", "TMPDIR"):
        if chosen := os.environ.get(name):
            return Path(chosen).absolute(), name
    return Path("/tmp"), "TMPDIR"


class RayFolder:
    """A folder of mode 700 for one Ray, locked by this process while Ray runs."""

    def __init__(self) -> None:
        """Makes it, and removes what killed drivers left beside it.

        Raises:
            UsageError: it cannot be made there; the message names the variable that moves it.
            ServiceError: the disk is full.
        """
        place, variable = base()
        _check_place(place, variable)
        try:
            remove_abandoned(place)
            self.path, self._lock = _make(place)
            self.keep_outputs_in(None)
        except OSError as error:
            raise UsageError(_unusable(variable, place, error.strerror or str(error))) from error

    @property
    def ray(self) -> Path:
        """The folder that Ray uses: everybody may write there, but only this user gets in."""
        return self.path / "r"

    def logs(self) -> list[Path]:
        """Ray's folders of logs."""
        return _logs(self.path)

    def keep_outputs_in(self, folder: Path | None) -> None:
        """Sets where the workers' outputs are kept in the end."""
        marker = self.path / _MARKER
        marker.with_suffix(".new").write_text(json.dumps({"outputs": None if folder is None else str(folder)}))
        marker.with_suffix(".new").replace(marker)

    def close(self) -> None:
        """Keeps the workers' outputs and removes everything else. To be called once Ray has ended."""
        _keep_outputs(self.path)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def live_logs(kept_in: Path) -> list[Path]:
    """The folders of logs whose workers' outputs will be kept in this folder."""
    with suppress(OSError):
        ours = [path for path in _folders(base()[0]) if _outputs_folder(path) == kept_in]
        return [logs for path in ours for logs in _logs(path)]
    return []


def remove_abandoned(place: Path) -> None:
    """Removes folders whose driver has ended, after keeping what their workers printed."""
    for path in _folders(place):
        with suppress(OSError):
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _keep_outputs(path)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)
    for path in _skeletons(place):
        shutil.rmtree(path, ignore_errors=True)


def _check_place(place: Path, variable: str) -> None:
    longest = os.fsencode(place / "tuner-0000" / "r" / _SESSION.format(pid=os.getpid()))
    if (excess := len(longest) - SOCKET_BYTES) > 0:
        most = len(os.fsencode(place)) - excess
        raise UsageError(
            f"${variable}: Ray's sockets lie below it, so it may have {most} bytes, but got {place};"
            f" set RAY_TMPDIR to a folder with a shorter path, such as /tmp"
        )
    try:
        mode = place.stat().st_mode
        free = os.statvfs(place)
    except OSError as error:
        raise UsageError(_unusable(variable, place, error.strerror or str(error))) from error
    if not stat.S_ISDIR(mode):
        raise UsageError(_unusable(variable, place, "Not a directory"))
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        why = "every user can replace what others have in it (no sticky bit)"
        raise UsageError(_unusable(variable, place, why))
    if free.f_blocks and (free.f_bavail * free.f_frsize < FREE_BYTES or (free.f_files and not free.f_favail)):
        room = f"{free.f_bavail * free.f_frsize >> 20} MiB" if free.f_favail or not free.f_files else "no inodes"
        raise ServiceError(
            f"Ray does not start on this machine: {place} has {room} free, but Ray's logs and sockets need"
            f" {FREE_BYTES >> 20} MiB; make room, or set RAY_TMPDIR to another folder"
        )


def _unusable(variable: str, place: Path, why: str) -> str:
    return (
        f"${variable}: Ray's temporary files need a folder that you can write to, but got {place}: {why};"
        f" set RAY_TMPDIR to another one"
    )


def _make(place: Path) -> tuple[Path, int]:
    """Makes a new folder; returns it with the handle that locks it."""
    letters = string.ascii_lowercase + string.digits
    for _ in range(_ATTEMPTS):
        path = place / f"tuner-{''.join(secrets.choice(letters) for _ in range(4))}"
        try:
            path.mkdir(0o700)
        except FileExistsError:
            continue
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        os.fchmod(handle, 0o700)  # a umask may have taken more away
        with suppress(OSError):  # a file system without locks, on which no other driver removes it either
            fcntl.flock(handle, fcntl.LOCK_EX)
        return path, handle
    raise FileExistsError(f"all of {_ATTEMPTS} names that were tried exist")


def _folders(place: Path) -> Iterator[Path]:
    """This user's folders of this kind, without links."""
    with os.scandir(place) as entries:
        for entry in entries:
            if not _NAME.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            found = entry.stat(follow_symlinks=False)
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            if is_ours and (Path(entry.path) / _MARKER).is_file():
                yield Path(entry.path)


def _skeletons(place: Path) -> Iterator[Path]:
    """What a worker of Ray that started late has made anew of a removed folder: empty folders, and a link."""
    with os.scandir(place) as entries:
        for entry in entries:
            with suppress(OSError):
                if not _NAME.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                    continue
                found = entry.stat(follow_symlinks=False)
                is_old = time.time() - found.st_mtime > _LATE_S
                if found.st_uid == os.geteuid() and is_old and _is_skeleton(Path(entry.path)):
                    yield Path(entry.path)


def _is_skeleton(path: Path) -> bool:
    if os.listdir(path) != ["r"] or not any((path / "r").glob("session_2*")):
        return False
    return not any(set(files) - {"session_latest"} for _, _, files in os.walk(path))


def _outputs_folder(path: Path) -> Path | None:
    with suppress(OSError, ValueError, AttributeError):
        folder = json.loads((path / _MARKER).read_text()).get("outputs")
        return Path(folder) if folder else None
    return None


def _logs(path: Path) -> list[Path]:
    return sorted(path.glob("r/session_2*/logs"))


def _keep_outputs(path: Path) -> None:
    """Moves what the workers printed to the sweep's folder, as far as there is room."""
    if (into := _outputs_folder(path)) is not None:
        for logs in _logs(path):
            with suppress(OSError):
                outputs.keep(logs, into)
