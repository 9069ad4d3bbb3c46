"""Checks that a sweep's folder is the one that its journal belongs to. A copy made by hand would record into the runs
of the original.

A journal names its sweep, its storage root and its folder. If a whole root is moved or copied, it keeps its id, and its
sweeps can be resumed in the new place. A single folder that is copied, renamed or moved to another root cannot.
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
    """Checks that a sweep's folder may be written to.

    Raises:
        MisplacedError: its journal belongs to another folder; the message says what to do.
        StorageError: the storage root's id cannot be read.
    """
    if what := misplaced(folder, sweep):
        copy = f"{program()} copy {shlex.quote(folder.name)} NEW_NAME{storage_option(folder.root)}"
        raise MisplacedError(
            f"sweep {folder.name}: {what}. Make it a sweep of its own, with its own MLflow runs ({copy}), or"
            f" {_way_back(folder, sweep)}"
        )


def misplaced(folder: SweepFolder, sweep: Sweep) -> str:
    """Why a folder is not the one that its journal belongs to, as a clause; empty if it is the right one.

    Raises:
        StorageError: the storage root's id cannot be read.
    """
    if folder.name != sweep.name:
        return f"its journal is that of sweep {sweep.name}, so its folder is a copy, or was renamed"
    has_moved = sweep.url not in ("", folder.url)
    here = root_id(folder.root) if sweep.root_id else ""
    if here != sweep.root_id and (here or has_moved):
        moved = f"was moved without its root from {sweep.url}"
        return f"it belongs to another storage root, so its folder is a copy, or {moved}"
    if has_moved and (shared := _shared_store(folder, sweep)) and _is_at(sweep.url, folder, sweep):
        return f"it is a copy of the one that is still in {sweep.url}, and both record in {shared}"
    return ""


def _way_back(folder: SweepFolder, sweep: Sweep) -> str:
    """How to continue the original sweep."""
    is_own_root = not sweep.root_id or root_id(folder.root) == sweep.root_id
    if folder.name == sweep.name and is_own_root:
        return "continue that one; once it is deleted, this one takes its place"
    own = folder.root.sweep(sweep.name)
    if folder.name != sweep.name and own.exists():
        return f"continue sweep {sweep.name} itself ({resume_command(sweep.name, own.root)})"
    way = f"move it back to {own.url if is_own_root else sweep.url}"
    if is_own_root or root_id(folder.root):
        return way
    mark = folder.root.identity.parent.name
    return f"{way}; if its whole storage root was moved, move the folder {mark} of the old root, too"


def _shared_store(folder: SweepFolder, sweep: Sweep) -> str:
    """The tracking store, if it does not move along with the storage root; else empty."""
    uri = (sweep.spec.get("tracking") or {}).get("uri")
    file = sqlite_file(uri) if uri else None
    is_inside = file is not None and file.is_relative_to(folder.root.url)
    return Target.of(sweep.spec, folder).public_uri if uri and not is_inside else ""


def _is_at(url: str, folder: SweepFolder, sweep: Sweep) -> bool:
    """Whether the sweep also exists at a URL that is not just another name of this folder, such as a link."""
    first = started_at(url)
    if first is None or fold([first]).sweep_id != sweep.sweep_id:
        return False
    if not isinstance(folder.path, Path) or "://" in url:
        return True
    try:
        return not os.path.samefile(folder.path, url)
    except OSError:
        return True
