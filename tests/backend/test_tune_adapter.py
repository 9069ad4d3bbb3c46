"""Real Tune with workers that train nothing: one process takes trial after trial, whatever dies or does not hear."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ray.util import placement_group, remove_placement_group

from tests.benchmarks.no_training import NoTrainingWorker
from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.backend import session, tune_adapter
from tuner.backend.worker import Common
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import Assignment
from tuner.engine.slots import Slot, local_node
from tuner.review.verification import verify_sweep
from tuner.storage.journal import read_events
from tuner.sweep import events as ev
from tuner.sweep import fold

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TRIALS, SLOTS = 24, 2
TIMEOUT_S = 2.0


class MortalWorker(NoTrainingWorker):
    """Dies at the first attempt of two trials: at its first epoch, and at a later one of what went on from a rung."""

    def step(self) -> dict[str, Any]:
        assignment = self._assignment
        if assignment.attempt == 1 and (assignment.trial == 5 or (assignment.trial == 0 and self._epoch == 1)):
            os._exit(1)
        return super().step()


class SlowToLoadWorker(NoTrainingWorker):
    """Dies at the first attempt of two trials, one while it loads, after a while in which it says nothing."""

    def step(self) -> dict[str, Any]:
        if self._assignment.attempt == 1 and self._assignment.trial in (0, 5):
            time.sleep(2 * TIMEOUT_S)
            os._exit(1)
        return super().step()


class DeafWorker(NoTrainingWorker):
    """Does not hear of one assignment."""

    def take(self, assignment: Assignment, ahead: Assignment | None = None) -> None:
        if assignment.trial != 7 or assignment.attempt > 1:
            super().take(assignment)


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    session.start_ray("local")
    yield
    session.leave_ray()


def run(
    folder: Path, worker: Any, timeout_s: float | None = None, beside: Callable[[Coordinator], None] | None = None
) -> list[ev.AnyEvent]:
    """A sweep's events, once it ended as it should; `beside` runs in a thread meanwhile."""
    low_high = {"learning_rate": (1e-4, 1e-1), "units": (16, 512), "dropout": (0.0, 0.5)}
    spec = make_spec(
        objective={"metric": "loss", "mode": "min"},
        epochs={"min": 1, "max": 3},
        num_trials=TRIALS,
        space={name: {"low": low, "high": high} for name, (low, high) in low_high.items()},
    )
    journal = new_sweep(folder, spec)
    coordinator = coordinator_of(journal)
    coordinator.set_slots(SLOTS)
    slot = Slot(local_node()["CPU"] / SLOTS, 0)
    if beside is not None:
        threading.Thread(target=beside, args=[coordinator], daemon=True).start()
    tune_adapter.fit(coordinator, Common(slot, timeout_s, "none", []), worker=worker)
    assert coordinator.finished
    coordinator.close()
    journal.close()
    found = verify_sweep(journal.folder, mlflow=False, checkpoints=False)
    assert found.ok, str(found)
    events = read_events(journal.folder)
    sweep = fold(events)
    assert len(sweep.trials) == TRIALS and set(sweep.outcomes()) >= {"completed", "stopped"}
    assert sweep.outcomes()["unfinished"] == sweep.outcomes()["failed"] == 0
    return events


def failures(events: list[ev.AnyEvent]) -> list[tuple[int, str, bool]]:
    return [(event.trial, event.cause, event.counts) for event in events if isinstance(event, ev.AttemptFailed)]


def processes(events: list[ev.AnyEvent]) -> set[int]:
    return {event.pid for event in events if isinstance(event, ev.TrialStarted)}


def test_one_process_a_slot_takes_all_trials(tmp_path: Path) -> None:
    events = run(tmp_path, NoTrainingWorker)
    assert not failures(events) and len(processes(events)) <= SLOTS


def test_what_waits_while_others_use_the_cluster_is_not_counted_as_running(tmp_path: Path) -> None:
    others = placement_group([{"CPU": local_node()["CPU"] / SLOTS}])
    assert others.wait(30)
    seen: set[tuple[int, int]] = set()

    def look(coordinator: Coordinator) -> None:
        deadline = time.monotonic() + 30
        while (len(coordinator.live), coordinator.busy) != (SLOTS, SLOTS - 1) and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.add((len(coordinator.live), coordinator.busy))
        remove_placement_group(others)

    events = run(tmp_path, NoTrainingWorker, beside=look)
    assert not failures(events)
    assert seen == {(SLOTS, SLOTS - 1)}


def test_a_worker_that_dies_costs_the_trial_it_was_at_one_attempt(tmp_path: Path) -> None:
    events = run(tmp_path, MortalWorker)
    assert {(5, "worker", True)} <= set(failures(events)) <= {(0, "worker", True), (5, "worker", True)}
    assert len(processes(events)) <= SLOTS + len(failures(events))


def test_what_a_worker_takes_to_load_is_not_put_down_to_the_timeout_of_an_epoch(tmp_path: Path) -> None:
    events = run(tmp_path, SlowToLoadWorker, TIMEOUT_S)
    assert set(failures(events)) == {(0, "worker", True), (5, "timeout", True)}


def test_an_assignment_that_a_worker_did_not_hear_of_is_given_out_again(tmp_path: Path) -> None:
    events = run(tmp_path, DeafWorker)
    assert failures(events) == [(7, "node", False)]
    assert len(processes(events)) <= SLOTS
