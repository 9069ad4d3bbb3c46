"""One process of the recorder, from its start to its end, as its driver sees it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO

from tuner.base.errors import StorageError
from tuner.processes import own_server
from tuner.recording.line import DriverEnd
from tuner.storage import SweepFolder, open_log


class Life:
    """A recorder that was started; it runs as long as `hear` returns true."""

    def __init__(self, folder: SweepFolder, restarts: int, tell: Callable[[str], None]) -> None:
        """Starts the recorder.

        Args:
            restarts: how many recorders this driver started before.
            tell: called with each line that it reports.

        Raises:
            OSError: it cannot be started.
        """
        self._folder = folder
        self._was_silent_s = 0.0
        self._line = DriverEnd(tell)
        told = ["--restarts", str(restarts), "--line", str(self._line.far_end)]
        if (server := own_server()) is not None:
            told += ["--token", server.token]
        try:
            with self._log() as log:
                # In another session than the driver's, so that it does not receive its Ctrl-C.
                # -P keeps the working directory out of imports.
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "tuner.recording", folder.url, *told],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=[self._line.far_end],
                )
        except OSError:
            self._line.close()
            raise
        finally:
            self._line.close_far_end()

    def _log(self) -> IO[bytes]:
        try:
            return open_log(self._folder.recorder_log, self._folder.base)
        except (OSError, StorageError):  # the disk cannot be written, or the log is not a regular file
            return open("/dev/null", "wb")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def silent_s(self) -> float:
        """Seconds since its last sign of life."""
        return self._line.silent_s

    @property
    def exit_code(self) -> int:
        """The exit code once it has ended; negative for a signal."""
        assert self._process.returncode is not None
        return self._process.returncode

    @property
    def end(self) -> str:
        """How it ended, as a clause that follows "the recorder"."""
        if self._was_silent_s:
            return f"gave no sign of life for {self._was_silent_s:.0f} s and was killed"
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code} ({self._folder.recorder_log} may say why)"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        return f"was killed by signal {-self.exit_code}"

    def hear(self, wait_s: float) -> bool:
        """Waits up to `wait_s` for a report; returns false once it has ended."""
        self._line.hear(wait_s)
        if self._line.is_cut:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)
        if self.is_alive:
            return True
        self._close()
        return False

    def ask_to_end(self) -> None:
        """Asks it to record the rest and exit."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill_silent(self) -> None:
        """Kills a silent recorder. If it waits in the kernel for a hanging disk, it ends once the disk is back."""
        self._was_silent_s = self._was_silent_s or self.silent_s
        self._process.kill()

    def kill(self) -> None:
        """Kills it and waits for its end."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self.ask_to_end()
        self._line.close()
