"""A trial that ended itself counts like one that was to train no longer."""

from __future__ import annotations

from tests.simulation import make_spec
from tuner.engine.judging import judge
from tuner.engine.messages import Report, TrainedEpoch
from tuner.policy import Policy
from tuner.sweep import Trial

METRIC = "val_accuracy"


def asked(policy: Policy) -> Trial:
    suggestion = policy.ask()
    assert suggestion is not None
    return Trial(suggestion.trial, {**suggestion.params, "epochs": suggestion.epochs}, suggestion.origin)


def test_it_is_observed_at_its_last_epoch_with_its_best_value() -> None:
    policy = Policy(make_spec(epochs={"min": 1, "max": 27}, early_stopping={"algorithm": "none"}).search_settings)
    trial, other = asked(policy), asked(policy)
    for epoch, value in enumerate((0.3, 0.6, 0.5, 0.4), 1):
        policy.tell(trial.number, epoch, value)
    policy.close(trial.number, "plateaued")
    seen = policy.observed(trial.number)
    assert (seen.level, seen.loss, seen.bad, seen.epochs_max) == (4, -0.6, False, 4)
    assert policy.num_observed == 1 and policy.observed(other.number).level == 0


def test_one_that_ended_before_its_first_epoch_says_nothing() -> None:
    policy = Policy(make_spec().search_settings)
    trial = asked(policy)
    policy.close(trial.number, "plateaued")
    assert policy.num_observed == 0


def test_a_report_ends_the_trial_unless_the_policy_has() -> None:
    policy = Policy(make_spec(epochs={"max": 2}, early_stopping={"algorithm": "none"}).search_settings)
    trial = asked(policy)
    first = Report(0, 1, "here", 1, (), None, (TrainedEpoch(1, {METRIC: 0.5}, 1.0),), ended="EarlyStopping ended it")
    judged = judge(policy, METRIC, trial, first)
    assert judged.end == ("plateaued", "EarlyStopping ended it") and len(judged.events) == 1
    trial = asked(policy)
    epochs = tuple(TrainedEpoch(epoch, {METRIC: 0.5}, 1.0) for epoch in (1, 2))
    both = judge(policy, METRIC, trial, Report(1, 1, "here", 1, (), None, epochs, ended="EarlyStopping ended it"))
    assert both.end is not None and both.end.outcome == "completed"


def test_one_whose_end_was_cut_off_ends_when_it_is_told_again() -> None:
    policy = Policy(make_spec().search_settings)
    trial = asked(policy)
    again = judge(policy, METRIC, trial, Report(0, 2, "here", 1, (), 1, (), ended="EarlyStopping ended it"))
    assert again.end is not None and again.end.outcome == "plateaued"
