"""The signals that end a driver."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def handled(handle: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Passes SIGINT, SIGTERM and SIGHUP to `handle`, and puts the handlers before it back at the end.

    Under nohup, SIGHUP stays ignored. In a thread other than the main one, which alone may handle signals, this does
    nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        numbers.remove(signal.SIGHUP)

    def on_signal(number: int, frame: Any) -> None:
        handle(signal.Signals(number))

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
