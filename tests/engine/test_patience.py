"""Trials that plateau: who decides it, and what is known of it afterwards."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine.test_coordinator import run_sweep
from tests.simulation import coordinator_of, make_spec, new_sweep, run_one_by_one
from tuner.base.patience import Patience
from tuner.engine.endings import TrialEnd, decided_end
from tuner.engine.messages import Report, TrainedEpoch
from tuner.engine.replay import verify
from tuner.policy import Policy
from tuner.storage.journal import read_events
from tuner.sweep import fold


def falling(params: dict[str, Any], epoch: int) -> float:
    """An accuracy that rises for some epochs and falls from then on."""
    turn = 2 + params["batch_size"] // 32
    return 0.5 + 0.01 * min(epoch, turn) - 0.02 * max(0, epoch - turn) - 0.1 * abs(math.log10(params["learning_rate"]))


NONE = {"algorithm": "none", "patience": 3}


def test_each_trial_ends_so_many_epochs_after_its_best(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path, falling, make_spec(early_stopping=NONE, num_trials=12))
    assert sweep.outcomes()["plateaued"] == 12
    for trial in sweep.trials.values():
        assert trial.best_epoch == 2 + trial.params["batch_size"] // 32  # type: ignore[operator]
        assert trial.epochs_trained == trial.best_epoch + 3
        assert [epoch.outcome for epoch in trial.epochs] == [None] * (trial.epochs_trained - 1) + ["plateaued"]
        assert trial.reason.startswith("no improvement in 3 epochs: the best value was ")


def test_it_stands_beside_asha(tmp_path: Path) -> None:
    sweep = run_sweep(tmp_path, falling, make_spec(early_stopping={"patience": {"patience": 2}}), dies=0.1)
    outcomes = sweep.outcomes()
    assert outcomes["plateaued"] and outcomes["stopped"] and not outcomes["completed"] and not outcomes["unfinished"]


def test_the_last_epoch_counts_where_the_best_is_not_restored(tmp_path: Path) -> None:
    patience = {"patience": 3, "restore_best": False}
    sweep = run_sweep(tmp_path, falling, make_spec(early_stopping={"algorithm": "none", "patience": patience}))
    assert all(trial.best_epoch == trial.epochs_trained for trial in sweep.trials.values())
    assert sweep.best is sweep.ranked()[0]


def test_without_it_decisions_are_as_before() -> None:
    assert run_one_by_one(Policy(make_spec().search_settings)) == run_one_by_one(
        Policy(replace(make_spec().search_settings, patience=Patience(10**6)))
    )


def test_an_end_that_did_not_reach_the_journal_is_made_up_for(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(early_stopping=NONE))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assignment = coordinator.next_trial()
    assert assignment is not None and assignment.patience == Patience(3)
    epochs = tuple(TrainedEpoch(epoch, {"val_accuracy": 1 / epoch}, 0.1) for epoch in range(1, 7))
    coordinator.report(Report(0, 1, "here", 1, (), 0, epochs))
    journal.close()
    events = read_events(journal.folder)
    assert verify(events) == []
    sweep = fold(events)
    assert sweep.trials[0].outcome == "plateaued" and sweep.trials[0].epochs_trained == 4
    cut = fold(events[:-1])
    assert decided_end(cut, cut.trials[0], 2) == TrialEnd("plateaued", sweep.trials[0].reason)
    for outcome, reason in ((None, sweep.trials[0].reason), ("plateaued", "in other words")):  # None: earlier versions
        last = msgspec.structs.replace(events[-2], outcome=outcome, reason=reason)
        cut = fold([*events[:-2], last])
        assert decided_end(cut, cut.trials[0], 2) == TrialEnd("plateaued", reason)


def test_an_attempt_that_continues_counts_the_epochs_before_it(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(early_stopping=NONE))
    coordinator = coordinator_of(journal)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    epochs = tuple(TrainedEpoch(epoch, {"val_accuracy": 1 / epoch}, 0.1) for epoch in (1, 2, 3))
    assert coordinator.report(Report(0, 1, "here", 1, (), 0, epochs))
    coordinator.lost(0, "worker", "killed")
    coordinator.release(0)
    again = coordinator.next_trial()
    assert again is not None and again.values == ((1, 1.0), (2, 0.5), (3, 1 / 3))
    for start, left in ((3, 1), (2, 2), (0, 4)):  # from a checkpoint of that epoch
        watch = again.watch(start, "max")
        assert watch is not None
        ends = [bool(watch.take(epoch, 1 / epoch)) for epoch in range(start + 1, 5)]
        assert ends == [False] * (left - 1) + [True]


@pytest.mark.parametrize("changed", [None, Patience(1)])
def test_a_resume_that_changes_it_judges_what_was_before_by_it(changed: Patience | None) -> None:
    settings = make_spec(early_stopping=NONE).search_settings
    policy = Policy(replace(settings, patience=changed))
    assert policy.ask() is not None
    decisions = [policy.tell(0, epoch, 1 / epoch) for epoch in range(1, 6)]
    assert [decision.outcome for decision in decisions] == (
        [None] * 5 if changed is None else [None] + ["plateaued"] * 4
    )
