"""The driver's handle on its recorder. Imports no mlflow."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from typing import IO

from tuner.errors import StorageError
from tuner.paths import SweepFolder, open_log


class RecorderProcess:
    """The recorder of a sweep as a process of its own, which outlives its driver until all is recorded."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its number; None before it was started."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts it; returns at once. Where it cannot be started now, no sweep waits for it: `finish` tries again."""
        with contextlib.suppress(OSError), self._log() as log:
            # Not in the driver's session, whose Ctrl-C it must not get; -P keeps the working directory out of imports.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tuner.recording", self._folder.url],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _log(self) -> IO[bytes]:
        try:
            return open_log(self._folder.recorder_log, self._folder.base)
        except (OSError, StorageError):  # a disk that cannot be written, or no file of its own
            return open("/dev/null", "wb")

    def finish(self, timeout_s: float = math.inf) -> bool:
        """Lets it record the rest; True if MLflow has everything.

        It goes on as long as MLflow takes anything, and gives up by itself after DRAIN_PATIENCE_S in which it took
        nothing; after `timeout_s` it goes on without the driver.
        """
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self.start()  # it died, or never lived: another one records what is left
        if self._process is None or self._process.stdin is None:
            return False
        self._process.stdin.close()
        try:
            return self._process.wait(None if math.isinf(timeout_s) else timeout_s) == 0
        except subprocess.TimeoutExpired:
            return False

    def kill(self) -> None:
        """Ends it at once; what it did not record, the next one does."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
