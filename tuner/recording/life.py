"""One process of the recorder, from its start to its death, as its driver sees it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO

from tuner.base.errors import StorageError
from tuner.recording.line import DriverEnd
from tuner.storage import SweepFolder, open_log


class Life:
    """A recorder that was started; it lives as long as `hear` is true."""

    def __init__(self, folder: SweepFolder, restarts: int, tell: Callable[[str], None]) -> None:
        """Starts it.

        Args:
            restarts: how many of this driver's recorders came before it.
            tell: gets what it says.

        Raises:
            OSError: it cannot be started now.
        """
        self._folder = folder
        self._was_silent_s = 0.0
        self._line = DriverEnd(tell)
        told = ["--restarts", str(restarts), "--line", str(self._line.far_end)]
        try:
            with self._log() as log:
                # Not in the driver's session, whose Ctrl-C it must not get.
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
        except (OSError, StorageError):  # a disk that cannot be written, or no file of its own
            return open("/dev/null", "wb")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def silent_s(self) -> float:
        """For how long it gave no sign of life."""
        return self._line.silent_s

    @property
    def exit_code(self) -> int:
        """Of the dead; negative for a signal."""
        assert self._process.returncode is not None
        return self._process.returncode

    @property
    def end(self) -> str:
        """How it died: what follows on "the recorder"."""
        if self._was_silent_s:
            return f"gave no sign of life for {self._was_silent_s:.0f} s and was killed"
        if self.exit_code >= 0:
            return f"ended with exit code {self.exit_code} ({self._folder.recorder_log} may say why)"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-self.exit_code).name}"
        return f"was killed by signal {-self.exit_code}"

    def hear(self, wait_s: float) -> bool:
        """Waits so long at most for what it says; false once it is dead."""
        self._line.hear(wait_s)
        if self._line.is_cut:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(wait_s)
        if self.is_alive:
            return True
        self._close()
        return False

    def ask_to_end(self) -> None:
        """Lets it record the rest and end by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill_silent(self) -> None:
        """Ends what does not run; at a process that waits in the kernel for a disk that hangs, only once it is back."""
        self._was_silent_s = self._was_silent_s or self.silent_s
        self._process.kill()

    def kill(self) -> None:
        """Ends it at once, and waits for that."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        self.ask_to_end()
        self._line.close()
