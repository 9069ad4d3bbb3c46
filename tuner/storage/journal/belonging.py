"""The storage root and folder that a sweep belongs to, according to its journal."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from tuner.base.errors import StorageError, TunerError
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.identity import made_root_id
from tuner.storage.journal.journal import read_first
from tuner.sweep import events as ev


class Belonging(NamedTuple):
    """The fields of `sweep_started` and `sweep_resumed` that identify the place."""

    root_id: str
    url: str


def belonging(folder: SweepFolder) -> Belonging:
    """What to journal for a sweep in this folder; its root gets an id if it has none.

    Raises:
        StorageError: the root cannot be written, or its id cannot be read.
    """
    return Belonging(made_root_id(folder.root, lambda: _lost_id(folder.root)), folder.url)


def belonging_if_writable(folder: SweepFolder) -> Belonging:
    """Like `belonging`, but without the root's id if only the sweep's own folder is writable."""
    with contextlib.suppress(StorageError):
        return belonging(folder)
    return Belonging("", folder.url)


def started_at(url: str) -> ev.SweepStarted | None:
    """The first event of the sweep at a URL that some journal names; None if it cannot be read from here."""
    with contextlib.suppress(TunerError, OSError, ValueError):
        folder = SweepFolder.at(url)
        if folder.exists() and isinstance(first := read_first(folder), ev.SweepStarted):
            return first
    return None


def _lost_id(root: StorageRoot) -> str:
    """The root's id according to the sweeps in it, if its file was lost; empty if they have none.

    Not looked up on an object store, where files are rarely lost and the search would take many requests.
    """
    if not isinstance(root.path, Path):
        return ""
    begun = ((folder, started_at(folder.url)) for folder in root.sweeps())
    return next((first.root_id for folder, first in begun if first and first.root_id and first.url == folder.url), "")
