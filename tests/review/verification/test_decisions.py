"""The invariants that compare the product's own books with a second count of them."""

from __future__ import annotations

import math

import msgspec

from tests.review.verification.made import Made, make
from tuner.engine.replay import replay
from tuner.policy import EarlierTrial, Policy
from tuner.review.verification.checker import verify_events
from tuner.review.verification.decisions import check_best, check_policy
from tuner.review.verification.result import Findings
from tuner.spec import spec_from_mapping
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def best(sweep: Sweep) -> list[str]:
    found = Findings()
    check_best(sweep, found)
    return [str(finding) for finding in found]


def policy(made: Made, told: Policy) -> list[str]:
    found = Findings()
    sweep = fold(made.events)
    check_policy(spec_from_mapping(sweep.spec), sweep, told, found)
    return [str(finding) for finding in found]


def test_a_best_trial_that_is_not_the_best_is_told() -> None:
    made = make()
    sweep = fold(made.events)
    assert best(sweep) == []
    ranked = sweep.ranked()
    sweep.best = ranked[1]
    assert best(sweep) == [
        f"best: the best is trial {ranked[1].number} with {ranked[1].best_value}, "
        f"but {ranked[0].best_value} was reached"
    ]
    sweep.best = None
    assert len(best(sweep)) == 1


def test_a_diverged_trial_as_the_best_is_told() -> None:
    sweeps = (fold(make(num_trials=24, seed=seed).events) for seed in range(20))
    sweep, diverged = next(
        (sweep, trial)
        for sweep in sweeps
        for trial in sweep.trials.values()
        if trial.outcome == "diverged" and trial.best_epoch
    )
    sweep.best = diverged
    assert len(best(sweep)) == 1


def test_a_trials_wrong_best_epoch_is_told() -> None:
    sweep = fold(make().events)
    trial = sweep.ranked()[0]
    trial.best_epoch -= 1
    assert len(best(sweep)) == 1
    trial.best_epoch, trial.best_value = trial.best_epoch + 1, trial.best_value + 1
    assert len(best(sweep)) == 2  # the trial's own, and the sweep's


def test_what_a_sweep_learned_of_earlier_ones_is_none_of_its_trials_and_stands_before_them() -> None:
    made = make()
    params = {"learning_rate": 99.0, "batch_size": 64, "schedule": "constant"}  # so its suggestions stay the same
    trial = EarlierTrial("one", "7", params, 27, 27, 1.0, False)
    learned = ev.WarmStarted(source="one", trials=[trial.to_plain()])
    events = [made.events[0], learned, *made.events[1:]]
    for seq, event in enumerate(events):
        events[seq] = msgspec.structs.replace(event, seq=seq)
    assert (
        len(fold(events).trials) == len(fold(made.events).trials)
        and fold(events).num_epochs == fold(made.events).num_epochs
    )
    found = Findings()
    assert verify_events(events, (), found, {}) is not None and list(found) == []
    late = [*made.events, msgspec.structs.replace(learned, seq=len(made.events))]
    verify_events(late, (), found, {})
    assert any("must learn of earlier trials before its own" in str(finding) for finding in found)


def test_a_policy_that_was_told_less_or_otherwise_is_told() -> None:
    made = make(num_trials=24, seed=2)
    spec = spec_from_mapping(fold(made.events).spec)
    assert policy(made, replay(spec, made.events)) == []

    without_a_trial = [event for event in made.events if getattr(event, "trial", None) != 23]
    assert policy(made, replay(spec, without_a_trial)) == ["policy: 23 trials are observed, but the journal has 24"]

    def wrong(kind: type[ev.AnyEvent], **fields: object) -> list[str]:
        """The findings for a policy that never heard of one event."""
        index = next(
            i
            for i, event in reversed(list(enumerate(made.events)))
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
        )
        return policy(made, replay(spec, [*made.events[:index], *made.events[index + 1 :]]))

    assert len(wrong(ev.EpochReported, epoch=27)) == 1
    assert len(wrong(ev.TrialEnded, outcome="failed")) == 1
    told_otherwise = replay(spec, made.events)
    trial = next(trial.number for trial in fold(made.events).trials.values() if trial.outcome == "stopped")
    told_otherwise.tell(trial, 1, 0.9999)
    assert len(policy(made, told_otherwise)) == 1
    told_otherwise.tell(trial, 1, math.nan)
    assert "bad True" in policy(made, told_otherwise)[0]
