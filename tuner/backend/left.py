"""What is left to do at a driver's end, told while people wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tuner.backend.observer import Observer
from tuner.base.secrets import redacted
from tuner.base.text import harmless
from tuner.recording import read_cursor
from tuner.storage import SweepFolder
from tuner.sweep import Sweep

FIRST_AFTER_S = 1.0
"""An end that takes no longer than this needs no word."""
EVERY_MAX_S = 8.0
"""The longest time between two lines; each is twice the one before."""


def left(folder: SweepFolder, sweep: Sweep, report: threading.Thread, ray: Future[None]) -> str:
    """What is left to do, in one line; empty if nothing is.

    Args:
        report: writes the report.
        ray: ends Ray.
    """
    cursor = read_cursor(folder)
    behind = cursor.backlog(sweep.num_events)
    trouble = f" ({harmless(redacted(cursor.trouble))})" if cursor.trouble else ""
    parts = {
        f"recording, {behind} event{'' if behind == 1 else 's'} left{trouble}": behind > 0,
        cursor.work: behind == 0 and bool(cursor.work),
        "writing the report": report.is_alive(),
        "ending Ray": not ray.done(),
    }
    return "; ".join(text for text, is_left in parts.items() if is_left)


@contextmanager
def told(observer: Observer, what: Callable[[], str]) -> Iterator[None]:
    """Tells the observer what is left, at growing intervals, while the block runs."""
    done = threading.Event()

    def tell() -> None:
        wait_s, last = FIRST_AFTER_S, ""
        while not done.wait(wait_s):
            if (text := what()) and text != last:
                observer.phase(last := text)
            wait_s = min(2 * wait_s, EVERY_MAX_S)

    thread = threading.Thread(target=tell, name="left", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
