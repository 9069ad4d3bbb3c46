"""The artifacts that a trial's script has logged to MLflow, which lie in the sweep's folder until they are uploaded."""

from __future__ import annotations

import os
from pathlib import Path

from tuner.storage import SweepFolder

FILES_MAX = 1000
BYTES_MAX = 1 << 30
NAME = "what the script logged"
"""As the recorder's log calls them."""


class TooMuchError(Exception):
    """A trial has logged more than is uploaded, or something else than files."""


def logged_files(folder: SweepFolder, trial: int) -> Path | None:
    """The folder with a trial's artifacts; None if it has none, or the sweep lies in an object store.

    Raises:
        TooMuchError: they are too many or too large, or there is a link among them.
    """
    if folder.is_remote:
        return None
    place = folder.callback_files(trial) / "mlflow"
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
