"""A wall clock that tests set for other processes, by libfaketime between them and the kernel."""

from __future__ import annotations

from pathlib import Path

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
"""None where it is not installed."""

_SLEEP = """
import threading
import time

time.sleep = lambda seconds: threading.Event().wait(seconds) and None
"""
"""For libfaketime 0.9.10, which refuses to sleep until a time of a clock that it does not fake, as Python does."""


class FakeClock:
    """Sets the clock of processes that are started with its environment, also while they run; other clocks are left."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there, and has room for its files."""
        assert LIBRARY is not None
        self._place = folder / "clock"
        self.set(0)
        (folder / "sitecustomize.py").write_text(_SLEEP)
        self.environment = {
            "PYTHONPATH": str(folder),
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._place),
            **dict.fromkeys(("DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME_NO_CACHE"), "1"),
        }

    def set(self, offset_s: float) -> None:
        """So far from the machine's own."""
        new = self._place.with_suffix(".new")
        new.write_text(f"{offset_s:+.0f}\n")
        new.replace(self._place)
