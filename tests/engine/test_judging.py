"""What follows from a report's epochs, with the real policy."""

from __future__ import annotations

import math
from dataclasses import replace

from tests.simulation import make_spec
from tuner.engine.judging import judge
from tuner.engine.messages import Report, SavedCheckpoint, TrainedEpoch
from tuner.policy import Policy
from tuner.sweep import Trial
from tuner.sweep import events as ev

METRIC = "val_accuracy"


def asked(**changes: object) -> tuple[Policy, Trial]:
    """A policy, and the first trial that it suggests."""
    policy = Policy(make_spec(**changes).search_settings)
    suggestion = policy.ask()
    assert suggestion is not None
    return policy, Trial(suggestion.trial, {**suggestion.params, "epochs": suggestion.epochs}, suggestion.origin)


def report(*values: float, first: int = 1, started_at: int | None = None) -> Report:
    epochs = tuple(TrainedEpoch(first + n, {METRIC: value}, 1.0) for n, value in enumerate(values))
    return Report(0, 1, "here", 1, (), started_at, epochs)


def test_a_start_comes_before_its_epochs_and_checkpoints_come_last() -> None:
    policy, trial = asked()
    mine, before = (SavedCheckpoint(number, 2, f"{number}", 1) for number in (0, 7))
    judged = judge(policy, METRIC, trial, replace(report(0.5, 0.6, started_at=0), checkpoints=(before, mine)))
    kinds = [type(event) for event in judged.events]
    assert kinds == [ev.TrialStarted, ev.EpochReported, ev.EpochReported, ev.CheckpointSaved]
    assert judged.goes_on and judged.end is None


def test_nothing_counts_after_the_epoch_that_ends_a_trial() -> None:
    policy, trial = asked()
    judged = judge(policy, METRIC, trial, report(0.5, math.nan, 0.9))
    assert [event.epoch for event in judged.events if isinstance(event, ev.EpochReported)] == [1, 2]
    assert judged.end is not None and judged.end.outcome == "diverged" and not judged.goes_on
    policy, trial = asked(epochs={"max": 1})
    judged = judge(policy, METRIC, trial, report(0.5, 0.6))
    assert judged.end == ("completed", "all 1 epochs") and len(judged.events) == 1


def test_epochs_that_the_journal_has_are_not_told_to_the_policy_again() -> None:
    policy, trial = asked()
    first = judge(policy, METRIC, trial, report(0.5, 0.6))
    trial.epochs = [event for event in first.events if isinstance(event, ev.EpochReported)]
    judged = judge(policy, METRIC, trial, report(math.nan, math.nan, 0.7))
    assert [event.epoch for event in judged.events if isinstance(event, ev.EpochReported)] == [3] and judged.goes_on


def test_an_epoch_without_the_objective_ends_the_attempt_and_keeps_those_before() -> None:
    policy, trial = asked()
    told = report(0.5, 0.6)
    broken = replace(told, epochs=(told.epochs[0], TrainedEpoch(2, {"loss": 0.1}, 1.0)))
    judged = judge(policy, METRIC, trial, broken)
    assert judged.missing == "no metric 'val_accuracy' after epoch 2: ['loss']"
    assert len(judged.events) == 1 and not judged.goes_on and judged.end is None
