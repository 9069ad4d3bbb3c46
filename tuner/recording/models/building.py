"""Has a model built by a process that has TensorFlow: a fork of the driver's server, of this node's, or a plain one."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tuner.base.errors import TunerError
from tuner.inspection.trained import WORK, AskedModel, NotWritten, asked_model
from tuner.inspection.work_folder import find_module
from tuner.processes import EndedError, Process, data_name, may_fork, node_server
from tuner.recording.models.wanted import WantedModel
from tuner.storage import SweepFolder, exists
from tuner.sweep import Sweep

BUILD_S = 60.0
"""The longest that a model may take until it is written."""
EXAMPLE_S = 15.0
"""The longest that a model which is written may take for an example of its inputs, which loads the data."""
_LOOK_S = 0.05
_FAULTS = (OSError, subprocess.CalledProcessError, EndedError)
_CPU_ALONE = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


class NotBuiltError(Exception):
    """There is no model; the message says why, and is empty where nobody needs to know.

    Args:
        is_late: whether it took too long, as others would, too.
    """

    def __init__(self, reason: str, is_late: bool = False) -> None:
        super().__init__(reason)
        self.is_late = is_late


class _NotKeptError(Exception):
    """The server has no data of the sweep's."""


class Builder:
    """Builds the models of one sweep, one after another.

    Args:
        token: of the driver's own server; empty if there is none.
        may_begin: whether a process may import TensorFlow for it, where there is no such server, or no longer.
    """

    def __init__(
        self, folder: SweepFolder, token: str = "", *, may_begin: bool = True, limit_s: float = BUILD_S
    ) -> None:
        self._folder, self._token, self._may_begin, self._limit_s = folder, token, may_begin, limit_s
        self._scratch = tempfile.TemporaryDirectory(prefix="tuner-model-", ignore_cleanup_errors=True)

    def close(self) -> None:
        """Removes what was built."""
        self._scratch.cleanup()

    def build(self, sweep: Sweep, wanted: WantedModel, beat: Callable[[], None]) -> Path:
        """The folder with the model's files (`trainables.training.saving`); `beat` is called while it is waited for.

        Raises:
            NotBuiltError: there is none.
        """
        target = Path(tempfile.mkdtemp(dir=self._scratch.name))
        try:
            find_module(sweep.spec, sweep.work_folder)
            asked = asked_model(self._folder, sweep, sweep.trials[wanted.trial], wanted.weights, target)
        except (TunerError, OSError, LookupError) as error:
            raise NotBuiltError(" ".join(str(error).split())) from error
        if not exists(self._folder.named(wanted.weights), self._folder.base):
            raise NotBuiltError("")
        work = _Work(asked, self._token, self._may_begin)
        work.start()
        until = time.monotonic() + self._limit_s
        while not work.done.wait(_LOOK_S) and time.monotonic() < min(until, work.written_at + EXAMPLE_S):
            beat()
        is_done = work.done.is_set()
        work.give_up()
        if work.is_written:
            return target
        if is_done:
            raise NotBuiltError(work.reason)
        raise NotBuiltError(f"it was not built within {self._limit_s:.0f} s", is_late=True)


class _Work(threading.Thread):
    """Asks for one model, and hears how far it is."""

    def __init__(self, asked: AskedModel, token: str, may_begin: bool) -> None:
        super().__init__(daemon=True, name="tuner-model")
        self._asked, self._token, self._may_begin = asked, token, may_begin
        self._process: Process | None = None
        self._is_given_up = False
        self.done = threading.Event()
        self.written_at = math.inf
        self.reason = ""

    @property
    def is_written(self) -> bool:
        """Whether the model is there, if not yet the example."""
        return self.written_at < math.inf

    def run(self) -> None:
        try:
            self._build()
        except _FAULTS as error:
            self.reason = f"the process that builds it {error}" if isinstance(error, EndedError) else str(error)
        finally:
            self._end()
            self.done.set()

    def give_up(self) -> None:
        """Ends the process, if it still runs; for the thread that waits for this one."""
        self._is_given_up = True
        if self._process is not None:
            self._process.cut()

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()

    def _build(self) -> None:
        """Asks the driver's server, and where it has gone with the driver, or has no data, another one."""
        try:
            if self._token:
                self._ask(self._token, data_name(self._token))
                return
        except (_NotKeptError, *_FAULTS) as error:
            if self.is_written or (isinstance(error, EndedError) and not error.is_with_server):
                raise
            self._end()
        if self._may_begin and not self._is_given_up:
            self._ask("", "")

    def _ask(self, token: str, data: str) -> None:
        server = node_server(token, is_forked=may_fork())
        with Path(os.devnull).open("wb") as nowhere:  # what user code prints has no place in the recorder's log
            self._process = server.start(
                WORK,
                is_forked=may_fork(),
                data=data,
                give=_not_kept if data else None,
                environment={**os.environ, **_CPU_ALONE},
                folder=self._asked.work_folder or None,
                outputs=(nowhere.fileno(), nowhere.fileno()),
            )
        if self._is_given_up:
            return
        assert self._process.pid
        self._process.send(self._asked)
        while True:
            answer = self._process.receive()
            if isinstance(answer, NotWritten):
                self.reason = answer.reason
                return
            self.written_at = min(self.written_at, time.monotonic())
            if answer.has_example:
                return


def _not_kept() -> int:
    raise _NotKeptError
