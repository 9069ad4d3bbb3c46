"""Recorders that a signal has stopped: they hold their sweep, and outlive their driver without ever ending."""

from __future__ import annotations

import contextlib
import os

import psutil

from tuner.storage import SweepFolder


def stopped_recorders(folder: SweepFolder) -> list[int]:
    """The processes on this machine that are recorders of a sweep, and are stopped."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED and _records(process.cmdline(), folder):
                found.append(process.pid)
    return found


def end_stopped(folder: SweepFolder) -> list[int]:
    """Kills them; what they did not record, the next one does. Returns their numbers."""
    ended = []
    for pid in stopped_recorders(folder):
        with contextlib.suppress(OSError):
            os.kill(pid, 9)
            ended.append(pid)
    return ended


def _records(command: list[str], folder: SweepFolder) -> bool:
    """Whether a command line is `python -P -m tuner.recording FOLDER …`."""
    return "tuner.recording" in command[:4] and folder.url in command[:5]
