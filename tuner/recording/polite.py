"""How much of the processor a recorder takes from what trains."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICENESS = 5
IMPORT_NICENESS = 10
"""MLflow's import takes seconds of a processor while workers start, which need all of it for the first epoch."""


def lower_priority(niceness: int) -> None:
    """Lowers the priority of this process to at most that; on Linux, of this thread and of those that it starts."""
    os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))


def import_in_background() -> None:
    """Imports MLflow, at a lower priority where a thread can have one of its own, and returns when it is there.

    An import that fails is tried again where it is needed, which reports the error.
    """
    thread = threading.Thread(target=_import, name="mlflow", daemon=True)
    thread.start()
    thread.join()


def _import() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            lower_priority(IMPORT_NICENESS)
    with contextlib.suppress(Exception):
        from tuner.recording.recorder import import_store

        import_store()
