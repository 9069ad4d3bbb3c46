"""The artifacts that a trial's script has logged to MLflow, which lie in the sweep's folder until they are uploaded."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from tuner.storage import SweepFolder
from tuner.storage.copying import copy_file, versions_below

FILES_MAX = 1000
BYTES_MAX = 1 << 30
NAME = "what the script logged"
"""As the recorder's log calls them."""


class TooMuchError(Exception):
    """A trial has logged more than is uploaded, or something else than files."""


class Logged:
    """A folder of this machine whose files are to be uploaded.

    Args:
        path: the folder.
        note: called once the files are uploaded.
        is_copy: whether the folder is removed then, or with this object.
    """

    def __init__(self, path: Path, note: Callable[[], None], *, is_copy: bool = False) -> None:
        self.path, self._note = path, note
        self._remove = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True) if is_copy else None

    def done(self) -> None:
        """Notes that the files are uploaded."""
        self._note()
        if self._remove is not None:
            self._remove()


def logged_files(folder: SweepFolder, trial: int, uploaded: dict[int, str]) -> Logged | None:
    """A trial's artifacts; None if it has none, or they are uploaded already.

    Args:
        uploaded: trial -> a digest of what was uploaded last; follows `Logged.done`.

    Raises:
        TooMuchError: they are too many or too large, or there is a link among them.
        StorageError: they cannot be read.
    """
    place = folder.logged(trial)
    versions = _versions_here(place, trial) if isinstance(place, Path) else _versions_there(folder, trial)
    digest = hashlib.sha256(repr(sorted(versions.items())).encode()).hexdigest()[:16]
    if not versions or uploaded.get(trial) == digest:
        return None

    def note() -> None:
        uploaded[trial] = digest

    if isinstance(place, Path):
        return Logged(place, note)
    here = Logged(Path(tempfile.mkdtemp(prefix="tuner-logged-")), note, is_copy=True)
    for name in versions:
        copy_file(place, here.path, name)
    return here


def _versions_here(place: Path, trial: int) -> dict[str, str]:
    """The files below a folder, each with its size and time."""
    versions, size_bytes = {}, 0
    for path, folders, names in os.walk(place):
        for name in (*folders, *names):
            file = os.path.join(path, name)
            found = os.lstat(file)
            if os.path.islink(file):
                raise TooMuchError(f"{file} is a link, so the files of trial {trial} stay there")
            size_bytes += found.st_size
            if name in names:
                versions[file] = f"{found.st_size} {found.st_mtime_ns}"
    if len(versions) > FILES_MAX or size_bytes > BYTES_MAX:
        most = f"at most {FILES_MAX} files and {BYTES_MAX >> 30} GiB of a trial are uploaded"
        raise TooMuchError(
            f"{most}, but trial {trial} has {len(versions)} and {size_bytes} bytes: they stay in {place}"
        )
    return versions


def _versions_there(folder: SweepFolder, trial: int) -> dict[str, str]:
    """The files in an object store, where workers keep no more than is uploaded."""
    place = folder.logged(trial)
    inside = f"{place.parent.name}/{place.name}"
    assert not isinstance(folder.path, Path)
    found = versions_below(folder.path, inside)
    return {name.removeprefix(f"{inside}/"): found[name] for name in sorted(found)[:FILES_MAX]}
