"""The actor that holds a slot, with a process that pretends to train: no Ray runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tuner.backend import worker as module
from tuner.backend.worker import Common, Worker
from tuner.engine.messages import Assignment, Report, TrainedEpoch
from tuner.engine.slots import Slot
from tuner.processes import Server, forking, wire
from tuner.storage import SweepFolder
from tuner.storage.printed import printed_text
from tuner.worker.printed import Printed

pytestmark = pytest.mark.slow  # Ray is imported

WORK = f"{__name__}:pretend"
JUDGED = 3


def pretend(connection: socket.socket, kept: dict[str, int]) -> None:
    """Reports an epoch each time, without waiting for an answer except at every third; dies at trial 9's second."""
    with suppress(EOFError, ConnectionError):
        _pretend(connection)


def _pretend(connection: socket.socket) -> None:
    place, _ = wire.receive(connection)
    assignment, epoch = None, 0
    while True:
        told, _ = wire.receive(connection)
        if told is not None:
            assignment, epoch = told, 0
        assert assignment is not None
        epoch += 1
        if assignment.trial == 9 and epoch == 2:
            Printed(SweepFolder.at(str(Path(assignment.params["folder"], "sweep"))), place["printed"]).begin(9)
            os.write(1, b"its last words\n")
            os.kill(os.getpid(), signal.SIGKILL)
        (Path(assignment.params["folder"]) / f"{assignment.trial}-{epoch}").touch()
        report = Report(
            assignment.trial,
            assignment.attempt,
            "here",
            os.getpid(),
            (),
            0 if epoch == 1 else None,
            (TrainedEpoch(epoch, {}, 0.0),),
            goes_on=epoch % JUDGED != 0 and epoch < assignment.epochs_max,
        )
        wire.send(connection, report)


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Common]:
    token = f"worker-{os.getpid()}-{time.monotonic_ns()}"
    name = forking.server_name(token)
    arguments = [sys.executable, "-P", "-m", "tuner.processes", name[1:], "--owned", "--plain"]
    server = Server(name, token, subprocess.Popen(arguments, stdin=subprocess.PIPE))
    monkeypatch.setattr(module.outputs, "bound_this_process", lambda: None)
    monkeypatch.setattr(module, "this_node", lambda: {})
    monkeypatch.setattr(module, "node_address", lambda: "here")
    monkeypatch.setattr(module.ray, "get_gpu_ids", lambda: [])
    (tmp_path / "data").touch()
    with open(tmp_path / "data") as file:
        server.keep("data", file.fileno())
    slot = Slot(1, 0)
    yield Common(slot, None, "data", [], path=str(tmp_path / "data"), token=token, why_plain="tested", work=WORK)
    server.end()


def assigned(folder: Path, trial: int, attempt: int = 1) -> Assignment:
    return Assignment(trial, attempt, {"folder": str(folder)}, 0, 9, frozenset({3, 6}))


def begun(path: Path) -> bool:
    """Whether a file appears."""
    until = time.monotonic() + 20
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    return path.exists()


def epoch_of(worker: Worker) -> tuple[int, int]:
    report: Any = worker.train()["report"]
    return report.trial, report.epochs[-1].epoch


def test_it_trains_on_while_its_report_is_read_but_not_past_what_is_judged(common: Common, tmp_path: Path) -> None:
    worker = Worker({"assignment": assigned(tmp_path, 0)}, common)
    assert begun(tmp_path / "0-1"), "it did not begin before it was asked"
    assert epoch_of(worker) == (0, 1)
    assert begun(tmp_path / "0-2"), "it waited for an answer that it did not need"
    assert [epoch_of(worker), epoch_of(worker)] == [(0, 2), (0, 3)]
    time.sleep(0.2)
    assert not (tmp_path / "0-4").exists(), "it did not wait for the answer"
    assert epoch_of(worker) == (0, 4)
    worker.stop()


def test_what_it_trained_of_a_trial_that_was_taken_from_it_is_forgotten(common: Common, tmp_path: Path) -> None:
    worker = Worker({"assignment": assigned(tmp_path, 0)}, common)
    assert epoch_of(worker) == (0, 1)  # it is at the second one now
    worker.take(assigned(tmp_path, 1))
    assert [epoch_of(worker), epoch_of(worker)] == [(1, 1), (1, 2)]
    worker.stop()


def test_what_follows_begins_by_itself_once_a_trial_has_had_its_last_epoch(common: Common, tmp_path: Path) -> None:
    first = replace(assigned(tmp_path, 0), epochs_max=JUDGED)
    worker = Worker({"assignment": first, "ahead": assigned(tmp_path, 1)}, common)
    assert [epoch_of(worker) for _ in range(JUDGED)] == [(0, 1), (0, 2), (0, 3)]
    assert begun(tmp_path / "1-1"), "it waited for an answer that it did not need"
    worker.take(assigned(tmp_path, 1))
    assert [epoch_of(worker) for _ in range(JUDGED)] == [(1, 1), (1, 2), (1, 3)], "it was told of it once more"
    worker.look_ahead(assigned(tmp_path, 2))
    time.sleep(0.2)
    assert not (tmp_path / "2-1").exists(), "a rung may be passed"
    worker.take(replace(assigned(tmp_path, 3), epochs_max=1), assigned(tmp_path, 4))
    assert epoch_of(worker) == (3, 1) and begun(tmp_path / "4-1")
    worker.take(assigned(tmp_path, 5))  # as the driver has changed its mind
    assert epoch_of(worker) == (5, 1)
    worker.stop()


@pytest.mark.usefixtures("capfd")  # the output is a file
def test_the_death_of_the_server_is_not_the_trials_fault(common: Common, tmp_path: Path) -> None:
    worker = Worker({"assignment": assigned(tmp_path, 0)}, common)
    report: Report = worker.train()["report"]
    os.kill(psutil.Process(report.pid).ppid(), signal.SIGKILL)
    while (lost := worker.train()["report"]).loss is None:  # what it had reported before
        pass
    assert lost.loss.cause == "node" and "killed with the process that it was forked from" in lost.loss.reason
    worker.take(assigned(tmp_path, 0, attempt=2))
    assert epoch_of(worker) == (0, 1), "the node has no other server"
    worker.stop()


def test_a_process_that_dies_is_told_and_the_next_trial_has_another(common: Common, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    worker = Worker({"assignment": assigned(tmp_path, 9)}, common)
    first: Report = worker.train()["report"]
    lost: Report = worker.train()["report"]
    assert lost.loss is not None and lost.pid == first.pid
    assert (lost.loss.cause, lost.loss.reason) == ("worker", "the worker process died: it was killed by SIGKILL")
    assert printed_text(SweepFolder(tmp_path / "sweep"), 9) == "its last words\n"
    worker.take(assigned(tmp_path, 2))
    following: Report = worker.train()["report"]
    assert following.trial == 2 and following.pid != first.pid and following.loss is None
    assert first.notes == ("its process imports TensorFlow itself, as tested",) and following.notes == ()
    os.kill(following.pid, signal.SIGKILL)
    worker.take(assigned(tmp_path, 3))  # while a report of trial 2 is awaited
    assert epoch_of(worker) == (3, 1), "the death of a trial's process was put down to the next trial"
    worker.stop()


def test_where_nothing_can_be_forked_a_plain_process_trains_and_the_log_says_so(
    common: Common, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = module.node_server

    def node_server(token: str = "", *, is_forked: bool = True) -> Server:
        if is_forked:
            raise ConnectionRefusedError("TensorFlow cannot be imported")
        return start(common.token, is_forked=False)

    monkeypatch.setattr(module, "node_server", node_server)
    worker = Worker({"assignment": assigned(tmp_path, 0)}, replace(common, why_plain=""))
    report: Report = worker.train()["report"]
    assert report.loss is None and report.epochs
    assert report.notes == ("its process imports TensorFlow itself, as the one that others are forked from ended",)
    worker.stop()
