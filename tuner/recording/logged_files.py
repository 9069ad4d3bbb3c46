"""The artifacts that a trial's script has logged to MLflow, which lie in the sweep's folder until they are uploaded."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path

from tuner.storage import SweepFolder
from tuner.storage.copying import copy_file, files_below

FILES_MAX = 1000
BYTES_MAX = 1 << 30
NAME = "what the script logged"
"""As the recorder's log calls them."""


class TooMuchError(Exception):
    """A trial has logged more than is uploaded, or something else than files."""


class Downloaded:
    """A folder of this machine with a copy of files, which is removed with this object."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="tuner-logged-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def logged_files(folder: SweepFolder, trial: int) -> Path | Downloaded | None:
    """The folder with a trial's artifacts; None if it has none.

    Raises:
        TooMuchError: they are too many or too large, or there is a link among them.
        StorageError: they cannot be read.
    """
    place = folder.logged(trial)
    if not isinstance(place, Path):
        return _downloaded(folder, trial)
    num = size_bytes = 0
    for path, folders, names in os.walk(place):
        for name in (*folders, *names):
            found = os.lstat(os.path.join(path, name))
            if os.path.islink(os.path.join(path, name)):
                raise TooMuchError(f"{os.path.join(path, name)} is a link, so the files of trial {trial} stay there")
            num, size_bytes = num + (name in names), size_bytes + found.st_size
    if num > FILES_MAX or size_bytes > BYTES_MAX:
        most = f"at most {FILES_MAX} files and {BYTES_MAX >> 30} GiB of a trial are uploaded"
        raise TooMuchError(f"{most}, but trial {trial} has {num} and {size_bytes} bytes: they stay in {place}")
    return place if num else None


def _downloaded(folder: SweepFolder, trial: int) -> Downloaded | None:
    """A copy of what lies in an object store, where workers keep no more than is uploaded."""
    place = folder.logged(trial)
    inside = f"{place.parent.name}/{place.name}"
    names = files_below(folder.path, inside)[:FILES_MAX]
    if not names:
        return None
    here = Downloaded()
    for name in names:
        copy_file(place, here.path, name.removeprefix(f"{inside}/"))
    return here
