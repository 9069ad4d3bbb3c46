"""The worker: the Ray actor that holds a slot, and hands its trials to a process that trains.

The actor neither imports TensorFlow nor runs the user's code, nor imports Ray Tune, whose trainable it is (see
`patches.with_slim_actors`). It outlives the processes that it has: the next one is a fork away.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from tuner.backend import outputs
from tuner.backend.nodes import node_address, this_node
from tuner.engine.deaths import LOADING_S, cause_of_death, kernel_memory_kills
from tuner.engine.messages import Assignment, Loss, Report
from tuner.engine.slots import Slot
from tuner.processes import EndedError, Process, node_server
from tuner.worker.printed import Mark

WORK = "tuner.worker.process:main"
"""What the process does."""
STARTS = 3
"""How often a process is started at most until it begins; the last time it is no fork."""
NOT_STARTED = (OSError, subprocess.CalledProcessError)


@dataclass(frozen=True)
class Common:
    """What the workers of a sweep have in common, and where a node finds the rest: settings and data."""

    slot: Slot
    trial_timeout_s: float | None
    name: str
    """Of the shared settings and data."""
    reference: list[Any] = field(repr=False)
    """Ray's reference to them, in a list so that Ray does not fetch them for each worker; empty where `path` is."""
    path: str = ""
    """Where they can be opened on the driver's machine."""
    token: str = ""
    """Of the driver's own server on this machine; empty for the node's."""
    why_plain: str = ""
    """Why processes cannot be forked; empty if they can."""
    work: str = WORK
    is_keras: bool = True
    """Whether trials need TensorFlow, as those of scripts may not."""

    @property
    def is_forked(self) -> bool:
        """Whether a process is forked from one that has imported TensorFlow."""
        return self.is_keras and not self.why_plain


class Worker:
    """Trains one trial after another for Ray Tune, which calls `train`, `reset` and `stop`."""

    def __init__(self, config: dict[str, Any], common: Common) -> None:
        self._common = common
        self._process: Process | None = None
        self._notes: tuple[str, ...] = ()
        self._is_loaded = False
        self._is_waiting = False
        """Whether the process has been told to go on, and has not reported since."""
        self._told_at, self._kills = time.monotonic(), kernel_memory_kills()
        """When it was told so, and the kernel's count of memory kills then."""
        self._has_told_why = False
        """Whether the log says why this slot's processes are plain ones."""
        self._failed_starts = 0
        self._num_reports = 0
        self._printed = Mark()
        self._ahead: Assignment | None = None
        self._begun: Assignment | None = None
        """What the process has begun ahead of the driver's word."""
        outputs.bound_this_process()
        self.take(config["assignment"], config.get("ahead"))
        with suppress(*NOT_STARTED):  # which the first report tells
            self._tell()

    def take(self, assignment: Assignment, ahead: Assignment | None = None) -> None:
        """Takes the next trial, and perhaps the one after it. Only stores them: an error would be lost here."""
        if assignment is not self._begun and assignment != self._begun:
            self._assignment, self._is_told = assignment, False
        self._begun, self._ahead = None, ahead

    def look_ahead(self, assignment: Assignment) -> None:
        """Takes what follows once the trial has had its last epoch, whatever the driver makes of that."""
        self._ahead = assignment

    def reset(self, new_config: dict[str, Any], storage: Any = None) -> bool:
        """Goes on with another of Tune's trials."""
        self.take(new_config["assignment"], new_config.get("ahead"))
        return True

    def train(self) -> dict[str, Any]:
        """A report, in what Tune takes for a result."""
        self._num_reports += 1
        return {"report": self._report(), "done": False, "training_iteration": self._num_reports}

    def stop(self) -> None:
        """Ends the process that trains."""
        self._end_process()

    def get_auto_filled_metrics(self, debug_metrics_only: bool = True) -> dict[str, Any]:
        """Tune asks for them when the worker starts, and looks at none."""
        return {}

    def _report(self) -> Report:
        try:
            report = self._heard()
        except EndedError as error:
            return self._lost(error)
        if report.loss is not None:
            self._end_process()
        self._is_loaded = True
        if report.goes_on:  # while the driver reads
            self._tell()
        elif self._ahead is not None and report.is_last(self._assignment):
            self._begin_next()
        notes, self._notes = self._notes, ()
        return report if not notes else _with_notes(report, notes)

    def _begin_next(self) -> None:
        """Begins the trial that was given out ahead, while the driver reads of the end of the one before."""
        assert self._ahead is not None
        self._assignment, self._is_told = self._ahead, False
        self._begun, self._ahead = self._ahead, None
        with suppress(*NOT_STARTED):  # which the next report tells
            self._tell()

    def _heard(self) -> Report:
        """The next report of the process.

        Raises:
            EndedError: it is gone.
        """
        if self._is_waiting and not self._is_told:
            self._hear_no_more()
        while True:
            try:
                report: Report = self._tell().receive()
            except NOT_STARTED as error:  # its server was killed, or cannot import TensorFlow: not the trial's fault
                self._end_process()
                self._failed_starts += 1
                if self._failed_starts >= STARTS:
                    self._failed_starts = 0
                    raise EndedError(f"could not be started: {error}") from None
            else:
                self._is_waiting, self._failed_starts = False, 0
                return report

    def _hear_no_more(self) -> None:
        """Lets the process come to the end of what it trains of a trial that was taken from it meanwhile."""
        assert self._process is not None
        try:
            self._process.receive()
            self._is_waiting = False
        except (EndedError, ConnectionError):
            self._end_process()

    def _tell(self) -> Process:
        """The process that trains, once it knows of the trial, and that it is to go on; a new one if there is none.

        Raises:
            OSError, CalledProcessError: it cannot be started.
        """
        process = self._running()
        if not self._is_waiting:
            self._told_at, self._kills = time.monotonic(), kernel_memory_kills()
            process.send(None if self._is_told else self._assignment)
            self._is_told = self._is_waiting = True
        return process

    def _running(self) -> Process:
        if self._process is None:
            self._process = self._start()
            self._is_told = self._is_loaded = self._is_waiting = False
            gpus = tuple(str(gpu) for gpu in ray.get_gpu_ids())
            memory_bytes = self._common.slot.memory_bytes(this_node())
            place = {"node": node_address(), "gpus": gpus, "memory_bytes": memory_bytes, "printed": self._printed.path}
            self._process.send(place)
        return self._process

    def _start(self) -> Process:
        common, is_forked = self._common, self._common.is_forked
        if is_forked and self._failed_starts == STARTS - 1:
            is_forked = False  # it says itself why TensorFlow cannot be imported
            self._notes = ("its process imports TensorFlow itself, as the one that others are forked from ended",)
        if common.why_plain and common.is_keras and not self._has_told_why:
            self._has_told_why = True
            self._notes = (f"its process imports TensorFlow itself, as {common.why_plain}",)
        server = node_server(common.token, is_forked=is_forked)
        return server.start(common.work, is_forked=is_forked, data=common.name, give=self._give)

    def _give(self) -> int:
        """Opens the shared settings and data, which this node has not got yet."""
        from tuner.processes.shared import write_packed

        if self._common.path:
            return os.open(self._common.path, os.O_RDONLY)
        return write_packed(ray.get(self._common.reference[0]))

    def _lost(self, error: EndedError) -> Report:
        """The report of a process that is gone. The next one begins with the next trial."""
        process = self._process
        cause, reason = cause_of_death(
            f"it {error}",
            time.monotonic() - self._told_at,
            self._common.trial_timeout_s,
            loading_s=0.0 if self._is_loaded else LOADING_S,
            kernel_was_out_of_memory=kernel_memory_kills() > self._kills,
        )
        if error.is_with_server:
            cause = "node"  # which is not the trial's fault
        pid = process.known_pid if process is not None else 0
        self._end_process()
        self._printed.keep_rest()
        return Report(
            trial=self._assignment.trial,
            attempt=self._assignment.attempt,
            node=node_address(),
            pid=pid,
            gpus=(),
            started_at_epoch=None,
            loss=Loss(cause, reason),
        )

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
        self._is_waiting = False


def _with_notes(report: Report, notes: tuple[str, ...]) -> Report:
    return replace(report, notes=(*report.notes, *notes))
