"""A pipe from a recorder to its driver. The recorder writes a beat as long as its process runs, and news for the user.
In the other direction there is the recorder's standard input."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

BEAT_S = 2.0
NEWS_CHARS_MAX = 1000
"""Writes to a pipe are atomic up to 4096 bytes."""


class DriverEnd:
    """Listens to one recorder.

    Attributes:
        far_end: the recorder's end, to be inherited by its process.
        silent_s: seconds without a beat, not counting time during which this process was stopped.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._end, self.far_end = os.pipe()
        os.set_blocking(self._end, False)
        self._poll = select.poll()
        self._poll.register(self._end, select.POLLIN)
        self._tell, self._rest = tell, b""
        self.silent_s = 0.0
        self.is_cut = False

    def close_far_end(self) -> None:
        """Closes the recorder's end in this process, once the recorder has inherited it or could not be started."""
        os.close(self.far_end)

    def close(self) -> None:
        if not self.is_cut:
            os.close(self._end)
            self.is_cut = True

    def hear(self, wait_s: float) -> None:
        """Waits up to `wait_s` for a beat, and passes news on. Returns at once when the recorder has ended."""
        if self.is_cut:
            return
        began_at = time.monotonic()
        if self._poll.poll(wait_s * 1000):
            self._read()
        else:
            self.silent_s += min(time.monotonic() - began_at, 2 * wait_s)

    def _read(self) -> None:
        try:
            data = os.read(self._end, 65536)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        self.silent_s = 0.0
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line:
                self._tell(line.decode(errors="replace"))


class RecorderEnd:
    """Sends beats and news. Errors do not matter, because the driver may be gone."""

    def __init__(self, fd: int | None) -> None:
        """`fd` is the inherited end of the pipe; None if there is no driver."""
        self._fd = fd
        if fd is None:
            return
        with contextlib.suppress(OSError):
            os.set_blocking(fd, False)  # a stopped driver does not read
            threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def tell(self, news: str) -> None:
        self._write(" ".join(news.split())[:NEWS_CHARS_MAX].encode(errors="replace") + b"\n")

    def _beat(self) -> None:
        while True:
            self._write(b"\n")
            time.sleep(BEAT_S)

    def _write(self, line: bytes) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, line)
