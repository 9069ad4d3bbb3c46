"""Memory runs out in a batch: the trial goes on with the same batches in smaller parts, and uses no retry for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_coordinator import check_history
from tests.simulation import SPACE, coordinator_of, make_spec, new_sweep
from trainables.exceptions import PartsError
from tuner.base.outcomes import LossCause
from tuner.engine.coordinator import Coordinator
from tuner.engine.failures import failure_of, with_parts
from tuner.engine.messages import Failure, Report
from tuner.engine.parts import known_at_once
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, read_events
from tuner.sweep import events as ev


class ResourceExhaustedError(Exception): ...


def attempt(coordinator: Coordinator, at_once: int) -> int | None:
    """An attempt at the first trial in which memory runs out; how many examples it was to train at once."""
    assignment = coordinator.next_trial()
    assert assignment is not None and assignment.trial == 0
    failure = Failure("memory", "ResourceExhaustedError: no room", "", at_once)
    assert not coordinator.report(Report(0, assignment.attempt, "here", 1, (), 0, failure=failure))
    coordinator.release(0)
    return assignment.micro_batch_size


def test_each_attempt_trains_half_as_many_at_once_before_one_counts(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(failures={"max_retries": 1}))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    sizes = [attempt(coordinator, at_once) for at_once in (5, 2, 1)]
    assert sizes == [None, 2, 1] and coordinator.sweep.trials[0].failures == 1
    again = coordinator_of(journal)  # as after a crash
    again.set_slots(1)
    assert attempt(again, 1) == 1
    again.close()
    journal.close()
    trial = check_history(journal.folder).trials[0]
    assert (trial.outcome, trial.attempts, trial.failures, trial.micro_batch_size) == ("out_of_memory", 4, 2, 1)
    failed = [event for event in read_events(journal.folder) if isinstance(event, ev.AttemptFailed)]
    assert [(event.counts, event.micro_batch_size) for event in failed] == [
        (False, 2),
        (False, 1),
        (True, None),
        (True, None),
    ]
    assert "ran out with 5 examples at once; its batches are trained in parts of 2 now" in failed[0].reason
    assert "batch normalization" in failed[0].reason and failed[0].reason.endswith("no room")


def test_an_older_journal_says_nothing_of_it() -> None:
    line = b'{"event":"attempt_failed","trial":0,"attempt":1,"cause":"memory","reason":"x","at":1.0,"seq":3}'
    event = ev.decode(line)
    assert isinstance(event, ev.AttemptFailed) and event.counts and event.micro_batch_size is None


def test_what_no_smaller_part_can_mend_counts_at_once() -> None:
    exhausted = ResourceExhaustedError("OOM when allocating")
    assert with_parts(failure_of(exhausted), exhausted, 64, False).at_once == 64
    assert with_parts(failure_of(exhausted), exhausted, None, False).at_once == 0  # the model itself has no room
    error = ValueError("wrong")
    assert with_parts(failure_of(error), error, 64, False) == failure_of(error)


def test_a_model_that_cannot_be_trained_in_parts_is_out_of_memory_for_good() -> None:
    error = PartsError("a batch cannot be trained in parts")
    assert with_parts(failure_of(error), error, 8, False).cause == "error"  # as the trial's parameters say it
    found = with_parts(failure_of(error), error, 8, True)
    assert (found.cause, found.message, found.at_once) == ("memory", f"memory ran out, and {error}", 0)


def killed(coordinator: Coordinator) -> int | None:
    """An attempt at the first trial whose process is killed; how many examples it was to train at once."""
    assignment = coordinator.next_trial()
    assert assignment is not None and assignment.trial == 0
    coordinator.lost(0, "memory", "the worker was killed because its node ran out of memory")
    coordinator.release(0)
    return assignment.micro_batch_size


def needs_whole(coordinator: Coordinator) -> int | None:
    """An attempt at the first trial, whose model turns out to need whole batches."""
    assignment = coordinator.next_trial()
    assert assignment is not None and assignment.trial == 0
    failure = with_parts(Failure("error", "PartsError", ""), PartsError("a batch cannot be trained in parts"), 8, True)
    assert not coordinator.report(Report(0, assignment.attempt, "here", 1, (), 0, failure=failure))
    coordinator.release(0)
    return assignment.micro_batch_size


def one_trial(folder: Path, max_retries: int, params: dict[str, Any], **changes: Any) -> Coordinator:
    """A sweep whose first trial has these parameters."""
    point = {"learning_rate": 0.01, "schedule": "constant", **params}
    spec = make_spec(failures={"max_retries": max_retries}, search__points=[point], **changes)
    coordinator = coordinator_of(new_sweep(folder, spec))
    coordinator.set_slots(1)
    return coordinator


def test_a_process_killed_for_its_memory_goes_on_with_half_as_many_and_each_kill_is_a_retry(tmp_path: Path) -> None:
    coordinator = one_trial(tmp_path, 3, {"batch_size": 128})
    told: list[str] = []
    coordinator._note = told.append
    assert [killed(coordinator) for _ in range(3)] == [None, 64, 32]
    assert told[0].startswith(
        "trial 0: memory ran out with 128 examples at once; its batches are trained in parts of 64"
    )
    assert coordinator.sweep.trials[0].failures == 3
    coordinator.journal.close()
    journal = Journal(coordinator.journal.folder)
    journal.append(ev.SweepResumed(changes={}))
    again = coordinator_of(journal)  # as after a crash
    again.set_slots(1)
    assert killed(again) == 16
    again.close()
    journal.close()
    trial = check_history(journal.folder).trials[0]
    assert (trial.outcome, trial.attempts, trial.failures) == ("out_of_memory", 4, 4)
    failed = [event for event in read_events(journal.folder) if isinstance(event, ev.AttemptFailed)]
    assert [(event.counts, event.cause, event.micro_batch_size) for event in failed] == [
        (True, "memory", 64),
        (True, "memory", 32),
        (True, "memory", 16),
        (True, "memory", None),
    ]
    assert "trained in parts of 64 now" in failed[0].reason and failed[0].reason.endswith("its node ran out of memory")
    assert trial.reason.endswith("its node ran out of memory") and "parts" not in trial.reason


def test_a_kill_halves_what_was_trained_at_once(tmp_path: Path) -> None:
    space = {**SPACE, "micro_batch_size": {"choices": [24, 48]}}
    coordinator = one_trial(tmp_path, 5, {"batch_size": 64, "micro_batch_size": 24}, space=space)
    assert attempt(coordinator, 24) is None
    assert [killed(coordinator) for _ in range(5)] == [12, 6, 3, 1, 1]  # one example cannot be fewer
    coordinator.journal.close()


@pytest.mark.parametrize("cause", ["worker", "timeout", "node", "retired"])
def test_other_losses_leave_the_batches_as_they_are(tmp_path: Path, cause: LossCause) -> None:
    coordinator = one_trial(tmp_path, 3, {"batch_size": 64})
    assert coordinator.next_trial() is not None
    coordinator.lost(0, cause, "gone")
    coordinator.release(0)
    assert killed(coordinator) is None
    coordinator.journal.close()


def test_a_kill_changes_nothing_where_batches_are_not_ours(tmp_path: Path) -> None:
    cards = one_trial(tmp_path / "cards", 3, {"batch_size": 64}, resources={"gpus_per_trial": 2})
    script = one_trial(tmp_path / "script", 3, {"batch_size": 64})
    script.sweep.is_script = True
    for coordinator in (cards, script):
        assert [killed(coordinator), killed(coordinator)] == [None, None]
        coordinator.journal.close()


def test_the_batch_size_that_a_model_says_itself_counts(tmp_path: Path) -> None:
    spec = make_spec(space={"learning_rate": 0.01, "size": {"choices": [20, 40]}}, search__points=[{"size": 40}])
    coordinator = coordinator_of(new_sweep(tmp_path, spec))
    trial = coordinator.next_trial()
    assert trial is not None and known_at_once(coordinator.sweep, coordinator.sweep.trials[0]) == 0
    coordinator.sweep.trials[0].used = {"batch_size": 40}
    assert known_at_once(coordinator.sweep, coordinator.sweep.trials[0]) == 40
    coordinator.journal.close()


def test_a_model_that_needs_whole_batches_gets_them_again_after_a_kill(tmp_path: Path) -> None:
    coordinator = one_trial(tmp_path, 3, {"batch_size": 64})
    assert [killed(coordinator), needs_whole(coordinator), killed(coordinator)] == [None, 32, None]
    assert coordinator.sweep.trials[0].failures == 2
    sizes = [attempt(coordinator, 64), attempt(coordinator, 64)]  # of no use to make them smaller: it ends
    assert sizes == [None, None]
    trial = coordinator.sweep.trials[0]
    assert (trial.outcome, trial.failures, trial.attempts) == ("out_of_memory", 4, 5)
    coordinator.close()
    coordinator.journal.close()
    failed = [event for event in read_events(check_folder(coordinator)) if isinstance(event, ev.AttemptFailed)]
    assert [event.micro_batch_size for event in failed] == [32, 0, None, None, None]
    assert failed[1].reason == (
        "its batches are trained whole again: memory ran out, and a batch cannot be trained in parts"
    )


def check_folder(coordinator: Coordinator) -> SweepFolder:
    folder = coordinator.journal.folder
    check_history(folder)
    return folder
