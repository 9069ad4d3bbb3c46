"""Memory runs out in a batch: the trial goes on with the same batches in smaller parts, and uses no retry for it."""

from __future__ import annotations

from pathlib import Path

from tests.engine.test_coordinator import check_history
from tests.simulation import coordinator_of, make_spec, new_sweep
from trainables.exceptions import PartsError
from tuner.engine.coordinator import Coordinator
from tuner.engine.failures import failure_of, with_parts
from tuner.engine.messages import Failure, Report
from tuner.storage.journal import read_events
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
