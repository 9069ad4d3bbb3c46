"""Trials that are given out before their slot is free."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.engine.ahead import is_soon_over
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import Assignment, Report, TrainedEpoch
from tuner.engine.replay import replay
from tuner.engine.turns import Turns
from tuner.sweep import Trial
from tuner.sweep import events as ev


def coordinator(folder: Path, slots: int = 2, **changes: Any) -> Coordinator:
    spec = make_spec(**{"search__algorithm": "random", "early_stopping__algorithm": "none", "num_trials": 9, **changes})
    made = coordinator_of(new_sweep(folder, spec))
    made.set_slots(slots)
    return made


def reported(made: Coordinator, assignment: Assignment, epochs: int, epoch_s: float = 0.1) -> bool:
    done = made.sweep.trials[assignment.trial].epochs_trained
    trained = tuple(TrainedEpoch(done + n, {"val_accuracy": 0.5}, epoch_s) for n in range(1, epochs + 1))
    return made.report(Report(assignment.trial, assignment.attempt, "here", 1, (), None if done else 0, trained))


def next_of(made: Coordinator) -> Assignment:
    assignment = made.next_trial()
    assert assignment is not None
    return assignment


def trial(epochs: int, epoch_s: float, epochs_max: int = 27) -> Trial:
    made = Trial(0, {"epochs": epochs_max}, "random")
    made.epochs += [
        ev.EpochReported(trial=0, attempt=1, epoch=n, metrics={}, epoch_s=epoch_s, decision="continue", reason="")
        for n in range(1, epochs + 1)
    ]
    return made


@pytest.mark.parametrize(
    ("epochs", "epoch_s", "epochs_max", "expected"),
    [(0, 1, 27, False), (0, 1, 1, True), (5, 1, 27, False), (26, 600, 27, True), (20, 0.1, 27, True)],
)
def test_it_is_not_early(epochs: int, epoch_s: float, epochs_max: int, expected: bool) -> None:
    assert is_soon_over(trial(epochs, epoch_s, epochs_max)) is expected


def test_what_a_slot_trains_next_is_journalled_before_its_trial_is_over(tmp_path: Path) -> None:
    made = coordinator(tmp_path)
    first = next_of(made)
    assert made.trial_ahead(first.trial) is None, "too early"
    assert reported(made, first, 20)
    ahead = made.trial_ahead(first.trial)
    assert ahead is not None and ahead.trial == 1 and 1 in made.sweep.trials
    assert made.trial_ahead(first.trial) is None, "one at a time"
    assert next_of(made).trial == 2, "another slot does not get it"
    assert made.wanted_slots == 9
    assert not reported(made, first, 7)
    made.release(first.trial)
    assert made.next_trial(ahead) is ahead and sorted(made.live) == [1, 2]


def test_results_decide_what_follows_once_there_is_a_model(tmp_path: Path) -> None:
    made = coordinator(tmp_path, search__algorithm="tpe", num_trials=30, epochs={"min": 1, "max": 1})
    for number in range(10):
        assignment = next_of(made)
        ahead = made.trial_ahead(assignment.trial)
        assert (ahead is not None) == (number < 9)
        if ahead is not None:
            made.give_back(ahead.trial)
        assert not reported(made, assignment, 1)
        made.release(assignment.trial)


def test_towards_the_end_no_slot_takes_what_another_could_begin(tmp_path: Path) -> None:
    made = coordinator(tmp_path, num_trials=4, epochs={"min": 1, "max": 1})
    first, _ = next_of(made), next_of(made)
    assert made.trial_ahead(first.trial) is None


def test_a_worker_that_dies_gives_back_what_it_was_given(tmp_path: Path) -> None:
    made = coordinator(tmp_path, epochs={"min": 1, "max": 1})
    turns = Turns(made, None, "here", lambda: 0.0, lambda: 0)
    first = turns.assign("turn")
    ahead = turns.look_ahead("turn")
    assert first is not None and ahead is not None and turns.look_ahead("turn") is None
    turns.close("turn", "it died")
    again = [next_of(made), next_of(made)]
    assert [assignment.trial for assignment in again] == [ahead.trial, first.trial]


def test_a_slot_that_is_no_more_gives_back_what_it_was_given(tmp_path: Path) -> None:
    made = coordinator(tmp_path, epochs={"min": 1, "max": 1})
    turns = Turns(made, None, "here", lambda: 0.0, lambda: 0)
    first, _ = turns.assign("turn"), turns.assign("other")
    ahead = turns.look_ahead("turn")
    assert first is not None and ahead is not None
    made.set_slots(1)
    assert not reported(made, first, 1)
    turns.end("turn")
    assert turns.assign("turn") is None
    turns.close("turn")
    turns.end("other")
    assert next_of(made).trial == ahead.trial


@pytest.mark.parametrize("changes", [{}, {"early_stopping__algorithm": "none"}, {"search__algorithm": "random"}])
def test_a_whole_sweep_is_sound_and_replayed(tmp_path: Path, changes: dict[str, Any]) -> None:
    journal = new_sweep(tmp_path, make_spec(**changes))
    made = coordinator_of(journal)
    cluster = SimulatedCluster(made, accuracy, dies=0.05, seed=4)
    assert not cluster.run(60)
    made = made.restarted()
    assert SimulatedCluster(made, accuracy, dies=0.05, seed=5).run()
    assert made.sweep.num_counted == 30 and all(trial.outcome for trial in made.sweep.trials.values())
    replay(made.spec, journal.events)
