"""The working directory of a user's code: the folder of its spec, in every process and for every command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainables.importable import look_around
from tuner.inspection.examine import is_file, is_own

SHIPPED_CODE = "code"
"""The folder of the user's code in the working directory of a cluster's job."""
_STAYS = "RAY_CHDIR_TO_TRIAL_DIR"
"""Is 0 in the jobs of a cluster, whose working directory is the shipped folder, elsewhere on each node."""


def work_folder(trainable: str, source: str) -> str:
    """Where the code of a new sweep's trainable runs; empty for the working directory that a process has.

    Args:
        source: the path of the spec's file; anything else where there is none: then the caller's working directory.
    """
    if not is_own(trainable) or os.environ.get(_STAYS) == "0":
        return ""
    path = Path(source)
    return str(path.resolve().parent if path.is_file() else Path.cwd())


def work_folder_of(spec: Mapping[str, Any], known: str) -> str:
    """The same of a sweep that exists: as its journal says, else the folder of the trainable's file."""
    trainable = str(spec["trainable"])
    if os.environ.get(_STAYS) == "0":
        return ""
    beside = str(Path(trainable.rpartition(":")[0]).parent) if is_file(trainable) else ""
    return next((folder for folder in (known, beside) if folder and os.path.isdir(folder)), "")


def find_module(spec: Mapping[str, Any], known: str) -> None:
    """Lets this process import the module of an existing sweep's trainable from the project that it was started in."""
    start = SHIPPED_CODE if os.environ.get(_STAYS) == "0" else work_folder_of(spec, known)
    look_around(str(spec["trainable"]), Path(start))


@contextmanager
def working_in(folder: str) -> Iterator[None]:
    """Within this the process works in a folder; empty, or gone: where it is."""
    before = os.getcwd()
    if folder and os.path.isdir(folder):
        os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
