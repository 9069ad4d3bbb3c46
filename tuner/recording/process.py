"""The driver's handle on its recorder. Imports no mlflow."""

from __future__ import annotations

import subprocess
import sys

from tuner.paths import SweepFolder


class RecorderProcess:
    """The recorder of a sweep as a process of its own, which outlives its driver until all is recorded."""

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; returns at once."""
        with open(self._folder.recorder_log, "ab") as log:
            # Not in the driver's session, whose Ctrl-C it must not get; -P keeps the working directory out of imports.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tuner.recording", str(self._folder.path.absolute())],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def finish(self, timeout_s: float) -> bool:
        """Lets it record the rest; True if MLflow has everything. After `timeout_s` it goes on without the driver."""
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self.start()  # it died, or never lived: another one records what is left
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        try:
            return self._process.wait(timeout_s) == 0
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
