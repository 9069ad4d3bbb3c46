"""Whether a sweep's folder is the one that its journal belongs to: a copy made by hand would record in its original's
runs.

A journal names its sweep, its storage root and its folder. A root that is moved or copied whole keeps its id, and its
sweeps go on where it is; a single folder of it that is copied, renamed or put into another root does not.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from tuner.base.errors import MisplacedError
from tuner.recording.database import sqlite_file
from tuner.recording.target import Target
from tuner.storage import SweepFolder
from tuner.storage.commands import program, resume_command, storage_option
from tuner.storage.identity import root_id
from tuner.storage.journal import started_at
from tuner.sweep import Sweep, fold


def check_place(folder: SweepFolder, sweep: Sweep) -> None:
    """Refuses to write to a sweep whose folder is not its own.

    Raises:
        MisplacedError: the message says what it is and has the two ways on.
        StorageError: the storage root's id cannot be read.
    """
    if what := misplaced(folder, sweep):
        copy = f"{program()} copy {shlex.quote(folder.name)} NEW_NAME{storage_option(folder.root)}"
        raise MisplacedError(
            f"sweep {folder.name}: {what}. Make it a sweep of its own, with its own MLflow runs ({copy}), or"
            f" {_way_back(folder, sweep)}"
        )


def misplaced(folder: SweepFolder, sweep: Sweep) -> str:
    """Why a folder is not the one that its journal belongs to, as a clause; empty if it is.

    Raises:
        StorageError: the storage root's id cannot be read.
    """
    if folder.name != sweep.name:
        return f"its journal is that of sweep {sweep.name}, so its folder is a copy, or was renamed"
    has_moved = sweep.url not in ("", folder.url)
    here = root_id(folder.root) if sweep.root_id else ""
    if here != sweep.root_id and (here or has_moved):
        return f"it belongs to another storage root, so its folder is a copy, or was moved by itself from {sweep.url}"
    if has_moved and (shared := _shared_store(folder, sweep)) and _is_at(sweep.url, folder, sweep):
        return f"it is a copy of the one that is still in {sweep.url}, and both record in {shared}"
    return ""


def _way_back(folder: SweepFolder, sweep: Sweep) -> str:
    """The way on that keeps it the sweep that it is."""
    is_own_root = not sweep.root_id or root_id(folder.root) == sweep.root_id
    if folder.name == sweep.name and is_own_root:
        return "go on with that one; once it is gone, this one takes its place"
    own = folder.root.sweep(sweep.name)
    if folder.name != sweep.name and own.exists():
        return f"go on with sweep {sweep.name} itself ({resume_command(sweep.name, own.root)})"
    way = f"move it back to {own.url if is_own_root else sweep.url}"
    if is_own_root or root_id(folder.root):
        return way
    mark = folder.root.identity.parent.name
    return f"{way}; if its whole storage root was moved, move the folder {mark} of the old root, too"


def _shared_store(folder: SweepFolder, sweep: Sweep) -> str:
    """The tracking store, if it does not go along with the storage root; empty if it does."""
    uri = (sweep.spec.get("tracking") or {}).get("uri")
    file = sqlite_file(uri) if uri else None
    is_inside = file is not None and file.is_relative_to(folder.root.url)
    return Target.of(sweep.spec, folder).public_uri if uri and not is_inside else ""


def _is_at(url: str, folder: SweepFolder, sweep: Sweep) -> bool:
    """Whether the sweep lies at a URL, too: not only by another name of this folder's, such as a link's."""
    first = started_at(url)
    if first is None or fold([first]).sweep_id != sweep.sweep_id:
        return False
    if not isinstance(folder.path, Path) or "://" in url:
        return True
    try:
        return not os.path.samefile(folder.path, url)
    except OSError:
        return True
