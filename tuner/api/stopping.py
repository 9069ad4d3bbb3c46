"""Stops a sweep that runs on this machine: in another process by a signal, in this one directly."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from tuner.api.running import is_here, stop_here
from tuner.base.errors import UsageError
from tuner.review import status
from tuner.storage import SweepFolder
from tuner.storage.journal import read_holder
from tuner.sweep import Sweep

LOOK_EVERY_S = 0.25


def stop(folder: SweepFolder, sweep: Sweep, tell: Callable[[str], None] = lambda text: None) -> None:
    """Stops a sweep after the running epochs, and waits for the end of its driver; a second call stops it at once.

    Raises:
        UsageError: no driver runs it, or the driver cannot be reached from this machine.
    """
    name = folder.name
    holder = read_holder(folder.lease)
    if holder is None:
        raise UsageError(f"sweep {name}: no driver is at work on it; it is {status.state(folder, sweep)}")
    if not holder.sees_this_process:
        raise UsageError(
            f"sweep {name}: its driver is {holder}, out of reach from here; stop it there, or on a cluster with"
            f" tuner stop {name} --cluster FILE"
        )
    try:
        stop_here(folder, "stopped by the program that runs it") if is_here(folder) else os.kill(
            holder.pid, signal.SIGINT
        )
    except PermissionError:
        raise UsageError(f"sweep {name}: its driver, {holder}, is another user's, who alone can stop it") from None
    except ProcessLookupError:  # it has just ended
        pass
    tell(f"sweep {name}: its driver, {holder}, stops after the running epochs")
    while (now := read_holder(folder.lease)) is not None and now.id == holder.id:
        time.sleep(LOOK_EVERY_S)
