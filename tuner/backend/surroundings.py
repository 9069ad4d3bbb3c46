"""What a driver changes in its process, restored afterwards: a program continues after a sweep, and may run another."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_VARIABLES = ("RAY_", "TUNE_", "TF_CPP_MIN_LOG_LEVEL", "PYTHONBREAKPOINT")
_WIDGETS = "ray.widgets.util"
"""When Ray is imported in a notebook, this logger recommends packages that nobody needs here."""
_LOGGERS = ("ray", "ray.tune", "ray.air", _WIDGETS)
_OF_OTHERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)
"""Categories of the warnings that Ray and Tune raise about themselves."""


@contextmanager
def restored() -> Iterator[None]:
    """Restores environment, signal handlers and loggers at the end."""
    variables = _variables()
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    handlers = _handlers()
    logging.getLogger(_WIDGETS).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            for category in _OF_OTHERS:
                warnings.simplefilter("ignore", category)
            warnings.filterwarnings("ignore", "IProgress not found")  # Hyperopt's tqdm in a notebook without widgets
            yield
    finally:
        for name in _variables().keys() - variables.keys():
            del os.environ[name]
        os.environ.update(variables)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        for number, handler in _handlers().items():
            if handlers.get(number, handler) is not handler:
                signal.signal(number, handlers[number])


def _variables() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if name.startswith(_VARIABLES)}


def _handlers() -> dict[signal.Signals, Any]:
    """The handlers that Python can restore; only the main thread may, so elsewhere there are none."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {
        number: signal.getsignal(number) for number in signal.valid_signals() if isinstance(number, signal.Signals)
    }
    return {number: handler for number, handler in found.items() if handler is not None}
