"""Recorders that were stopped by a signal: they hold their sweep's lock and never end by themselves."""

from __future__ import annotations

import contextlib
import os

import psutil

from tuner.storage import SweepFolder


def stopped_recorders(folder: SweepFolder) -> list[int]:
    """The ids of stopped processes on this machine that are recorders of a sweep."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED and _records(process.cmdline(), folder):
                found.append(process.pid)
    return found


def end_stopped(folder: SweepFolder) -> list[int]:
    """Kills them and returns their ids. The next recorder records the rest."""
    ended = []
    for pid in stopped_recorders(folder):
        with contextlib.suppress(OSError):
            os.kill(pid, 9)
            ended.append(pid)
    return ended


def _records(command: list[str], folder: SweepFolder) -> bool:
    """Whether a command line is `python -P -m tuner.recording FOLDER …`."""
    return "tuner.recording" in command[:4] and folder.url in command[:5]
