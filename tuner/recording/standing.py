"""Whether a sweep's recorder is running, and why MLflow is behind; for `tuner show`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import Any

import filelock
import msgspec

from tuner.base.errors import TunerError
from tuner.recording.cursor import Cursor, read_cursor, write_cursor
from tuner.recording.database import sqlite_file
from tuner.recording.stopped import stopped_recorders
from tuner.recording.storefiles import is_missing
from tuner.storage import SweepFolder
from tuner.storage.commands import program, storage_option

_LOCK_S = 1.0
"""Checking whether a recorder is running holds its lock for a moment."""


def is_at_work(folder: SweepFolder) -> bool:
    """Whether a recorder of the sweep runs on this machine. Does not create or change a file."""
    try:
        handle = os.open(folder.recorder_lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # the file system has no locks
        return False
    finally:
        os.close(handle)
    return False


def note_death(folder: SweepFolder, restarts: int, trouble: str) -> None:
    """Notes in the cursor how a recorder ended; the next recorder clears the note.

    Takes the recorder's lock, because only the recorder may write the cursor. If this fails, nothing is lost.
    """
    with contextlib.suppress(OSError, TunerError, filelock.Timeout):
        folder.check()
        with filelock.FileLock(folder.recorder_lock, timeout=_LOCK_S):
            cursor = read_cursor(folder)
            write_cursor(folder, msgspec.structs.replace(cursor, restarts=restarts, recorder_trouble=trouble))


def recorder_standing(
    folder: SweepFolder, cursor: Cursor, uri: str, num_behind: int, is_running: bool
) -> dict[str, Any]:
    """How often the driver restarted its recorder, why MLflow is behind, and other news.

    Args:
        uri: of the tracking store.
        num_behind: the number of events that are not recorded.
        is_running: whether a driver runs the sweep.
    """
    why = _why_behind(cursor, num_behind) if is_running else _why_left(folder, cursor, uri, num_behind)
    return {
        "restarts": cursor.restarts,
        "trouble": why or None,
        "news": _dated(cursor) or None,
    }


def _why_behind(cursor: Cursor, num_behind: int) -> str:
    return cursor.recorder_trouble or (cursor.trouble if num_behind else "")


def _why_left(folder: SweepFolder, cursor: Cursor, uri: str, num_behind: int) -> str:
    """Why MLflow is behind for a sweep without a driver, whose recorder may still be running."""
    file = sqlite_file(uri)
    is_gone = file is not None and is_missing(file) and cursor.seq > 0
    if not num_behind and not is_gone:
        return ""
    if is_at_work(folder):
        pids = ", ".join(map(str, stopped_recorders(folder)))
        return f"its recorder is stopped (process {pids}); end it: kill -9 {pids}" if pids else cursor.trouble
    why = f"{file}: there is no such file; " if is_gone else f"{cursor.trouble}; " if cursor.trouble else ""
    again = f"{program()} record {folder.name}{storage_option(folder.root)}"
    return f"{why}no recorder is at work; record the rest with: {again}"


def _dated(cursor: Cursor) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(cursor.news_at))}: {cursor.news}" if cursor.news else ""
