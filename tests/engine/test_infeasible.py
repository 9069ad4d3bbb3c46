"""Trials whose code says that they are infeasible: no retry, another trial in their place, and an end of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import accuracy, coordinator_of, make_spec, new_sweep
from trainables import Infeasible
from trainables.exceptions import infeasible_in
from tuner.engine.coordinator import Coordinator
from tuner.engine.endings import INFEASIBLE_IN_A_ROW
from tuner.engine.failures import failure_of
from tuner.engine.messages import Failure, Report, TrainedEpoch
from tuner.engine.replay import replay, verify
from tuner.sweep import fold


def drive(coordinator: Coordinator, is_infeasible: Any) -> None:
    """One slot: each trial is infeasible, or trains to where it is stopped."""
    coordinator.set_slots(1)
    while (assignment := coordinator.next_trial()) is not None:
        trial, params = assignment.trial, assignment.params
        if is_infeasible(params):
            failure = Failure("infeasible", f"{params['batch_size']} is too large", "")
            assert not coordinator.report(Report(trial, assignment.attempt, "n", 1, (), None, failure=failure))
        else:
            for epoch in range(1, assignment.epochs_max + 1):
                trained = TrainedEpoch(epoch, {"val_accuracy": accuracy(params, epoch)}, 0.1)
                started = 0 if epoch == 1 else None
                if not coordinator.report(Report(trial, assignment.attempt, "n", 1, (), started, (trained,))):
                    break
        coordinator.release(trial)


def test_infeasible_trials_use_no_retry_and_are_replaced(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(num_trials=20))
    coordinator = coordinator_of(journal)
    drive(coordinator, lambda params: params["batch_size"] == 256)
    coordinator.close()
    sweep, events = fold(journal.events), list(journal.events)
    infeasible = [trial for trial in sweep.trials.values() if trial.outcome == "infeasible"]
    assert len(sweep.trials) == 20 + len(infeasible) and sweep.num_infeasible == len(infeasible) > 1
    assert sweep.num_counted == 20 and sweep.outcomes()["infeasible"] == len(infeasible)
    assert all(t.reason == "256 is too large" and not t.failures and not t.epochs for t in infeasible)
    assert not any(trial.params["batch_size"] == 256 for trial in sweep.trials.values() if trial not in infeasible)
    assert sweep.ended is not None and (sweep.ended.state, sweep.ended.reason) == ("finished", "all 20 trials ended")
    assert verify(events) == []
    policy = replay(coordinator.spec, events)
    assert policy.observed(infeasible[0].number).bad and policy.ask() is None


def test_a_sweep_of_only_infeasible_trials_ends_and_says_why(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(num_trials=500))
    coordinator = coordinator_of(journal)
    drive(coordinator, lambda params: True)
    coordinator.close()
    sweep = fold(journal.events)
    assert len(sweep.trials) == INFEASIBLE_IN_A_ROW and sweep.best is None
    assert sweep.ended is not None and sweep.ended.state == "stopped"
    assert sweep.ended.reason.startswith("the last 100 configurations were all infeasible, the newest one: ")


def test_rungs_and_plateaus_do_not_see_infeasible_trials(tmp_path: Path) -> None:
    spec = make_spec(num_trials=12, budget={"plateau": 30})
    coordinator = coordinator_of(new_sweep(tmp_path, spec))
    drive(coordinator, lambda params: len(coordinator.sweep.trials) % 4)
    assert coordinator.sweep.num_infeasible > 30 and coordinator.end is None
    judged = [e for trial in coordinator.sweep.trials.values() for e in trial.epochs if "place" in e.reason]
    assert max(int(e.reason.split(" of ")[1].split()[0]) for e in judged if e.epoch == 1) <= 12


def test_an_exception_may_carry_it() -> None:
    error = Infeasible("too large")
    assert failure_of(error) == Failure("infeasible", "too large", "")
    try:
        try:
            raise Infeasible("within")
        except Infeasible as inner:
            raise RuntimeError("outside") from inner
    except RuntimeError as outer:
        assert failure_of(outer) == Failure("infeasible", "within", "")
    assert failure_of(Infeasible()).message == "its code said so"
    assert infeasible_in(ValueError("x")) is None and failure_of(ValueError("x")).cause == "error"


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_loop_may_say_it_after_some_epochs(tmp_path: Path, epochs: int) -> None:
    coordinator = coordinator_of(new_sweep(tmp_path, make_spec(num_trials=1)))
    coordinator.set_slots(1)
    assignment = coordinator.next_trial()
    assert assignment is not None
    trained = tuple(TrainedEpoch(n + 1, {"val_accuracy": 0.5}, 0.1) for n in range(epochs))
    failure = Failure("infeasible", "too slow", "")
    coordinator.report(Report(0, 1, "n", 1, (), 0, trained, failure=failure))
    trial = coordinator.sweep.trials[0]
    assert trial.outcome == "infeasible" and trial.epochs_trained == epochs and coordinator.sweep.best is None
