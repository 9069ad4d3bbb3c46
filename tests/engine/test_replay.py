"""Replay: the policy is a function of the journal, also where a resume changes the spec on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation import SPACE, accuracy, make_spec
from tuner.base.errors import SpecError
from tuner.engine.replay import earlier_trials, replay, suggested_event, verify
from tuner.policy import STOP, EarlierTrial, Policy
from tuner.policy.asha import second_looks
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.spec.changes import changes_from_overrides
from tuner.spec.space import key
from tuner.sweep import events as ev
from tuner.sweep import fold, objective_value

Curve = Callable[[Any, int], float]


class Driven:
    """A policy and the journal of what it said, with trials that run side by side and report in random order."""

    def __init__(self, spec: SweepSpec, seed: int = 0, curve: Curve = accuracy) -> None:
        self.spec, self.curve, self.rng = spec, curve, np.random.default_rng(seed)
        self.policy = Policy(spec.search_settings)
        self.running: dict[int, int] = {}
        self.events: list[ev.AnyEvent] = []
        self.write(ev.SweepStarted(spec=spec.resolved(), versions={}, seed=0))

    def write(self, event: ev.AnyEvent) -> None:
        self.events.append(ev.decode(ev.encode(event)))

    def step(self, at_most: int = 4) -> bool:
        """One suggestion or one epoch; whether there was anything to do."""
        if len(self.running) < at_most and self.suggest() is not None:
            return True
        if self.running:
            self.train(int(self.rng.choice(sorted(self.running))))
            return True
        return False

    def run(self, steps: int = 100_000) -> None:
        for _ in range(steps):
            if not self.step():
                break

    def suggest(self) -> ev.TrialSuggested | None:
        suggestion = self.policy.ask()
        if suggestion is None:
            return None
        self.write(suggested_event(suggestion))
        self.running[suggestion.trial] = 0
        suggested = self.events[-1]
        assert isinstance(suggested, ev.TrialSuggested)
        return suggested

    def train(self, trial: int) -> None:
        epoch = self.running[trial] = self.running[trial] + 1
        value = self.curve(self.params(trial), epoch)
        metrics: ev.Metrics = {"loss": 1.0, "val_accuracy": value}
        decision = self.policy.tell(trial, epoch, objective_value(metrics, "val_accuracy"))
        self.write(
            ev.EpochReported(
                trial=trial,
                attempt=1,
                epoch=epoch,
                metrics=metrics,
                epoch_s=0.1,
                decision=decision.action,
                reason=decision.reason,
            )
        )
        if decision.action == STOP:
            self.end(trial, decision.outcome or "", decision.reason)

    def end(self, trial: int, outcome: str, reason: str = "") -> None:
        self.policy.close(trial, outcome)
        self.write(ev.TrialEnded(trial=trial, outcome=outcome, reason=reason))
        del self.running[trial]

    def resume(self, *overrides: str) -> None:
        """As after a kill: everything from the journal, under a changed spec."""
        changes = changes_from_overrides(self.spec.resolved(), overrides, self.policy.num_suggested)
        self.write(ev.SweepResumed(changes=changes))
        self.spec = spec_from_mapping(fold(self.events).spec)
        self.policy = replay(self.spec, self.events)

    def params(self, trial: int) -> dict[str, Any]:
        return next(e.params for e in self.events if isinstance(e, ev.TrialSuggested) and e.trial == trial)

    def suggested(self) -> list[dict[str, Any]]:
        return [e.params for e in self.events if isinstance(e, ev.TrialSuggested)]


def fewer_trials_than(num_suggested: int) -> list[str]:
    """The overrides of CHANGES that are refused once so many trials are out."""
    return [f"num_trials={number}" for number in (40, 50) if number < num_suggested]


def state(policy: Policy) -> Any:
    """All that later decisions depend on."""
    trials = [policy._observed[number] for number in range(policy.num_suggested)]
    return trials, policy._observed.ordered(10_000), policy._draws._out, vars(policy._asha), policy.num_trials


CHANGES = [
    ["num_trials=50"],
    ["num_trials=40", "budget.wall_time=4h", "failures.max_retries=5"],
    ["early_stopping.reduction_factor=2"],
    ["early_stopping.reduction_factor=5"],
    ["early_stopping.algorithm=none"],
    ["early_stopping.algorithm=asha"],
    ["space.learning_rate.high=0.3"],
    ["space.learning_rate.low=0.001", "space.learning_rate.high=0.02"],
    ["space.learning_rate.scale=linear"],
    ["space.units.low=32", "space.units.step=32"],
    ["space.units.high=1024"],
    ["space.batch_size.choices=[64, 128]"],
    ["space.batch_size.choices=[512, 64, 32]"],
    ["space.schedule.choices=[exponential, cosine]"],
    ["space.decay_rate.high=0.5"],
    ["budget.plateau=20", "tracking.uri=http://127.0.0.1:5000"],
    [],
]
POINTS = [
    {"learning_rate": rate, "batch_size": 64, "schedule": "constant", "units": 32} for rate in (0.001, 0.09, 0.01)
]
WIDER = {**SPACE, "units": {"low": 16, "high": 256, "step": 16}}


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**16),
    resumes=st.lists(st.tuples(st.integers(0, 80), st.sampled_from(CHANGES)), max_size=4),
    algorithm=st.sampled_from(["tpe", "tpe", "random"]),
    num_points=st.integers(0, 3),
)
def test_killed_and_changed_anywhere_the_journal_explains_every_decision(
    seed: int, resumes: list[tuple[int, list[str]]], algorithm: str, num_points: int
) -> None:
    def curve(params: dict[str, Any], epoch: int) -> float:
        return math.nan if params["learning_rate"] > 0.2 else accuracy(params, epoch)

    search = {"algorithm": algorithm, "seed": seed, "points": POINTS[:num_points]}
    driven = Driven(make_spec(space=WIDER, search=search), seed, curve)
    for steps, overrides in resumes:
        driven.run(steps)
        driven.resume(*(text for text in overrides if text not in fewer_trials_than(driven.policy.num_suggested)))
    driven.run()
    assert verify(driven.events) == []
    assert driven.policy.num_suggested == driven.spec.num_trials and not driven.running
    assert state(replay(driven.spec, driven.events)) == state(driven.policy)


def test_narrowed_ranges_bound_every_later_suggestion_and_unfinished_trials_finish() -> None:
    driven = Driven(make_spec(space=WIDER, num_trials=60))
    driven.run(120)
    before, running = driven.policy.num_suggested, dict(driven.running)
    assert before >= 10 and running
    driven.resume(
        "space.learning_rate.low=0.002",
        "space.learning_rate.high=0.02",
        "space.batch_size.choices=[64, 256]",
        "space.units.high=64",
    )
    driven.run()
    for params in driven.suggested()[before:]:
        assert 0.002 <= params["learning_rate"] <= 0.02 and params["batch_size"] in (64, 256)
        assert params["units"] in (16, 32, 48, 64)
    assert len(driven.suggested()) == 60
    assert set(running) <= {e.trial for e in driven.events if isinstance(e, ev.TrialEnded)}
    assert verify(driven.events) == []


def test_widened_ranges_are_gone_beyond() -> None:
    driven = Driven(make_spec(space=WIDER, num_trials=20))
    driven.run()
    driven.resume("num_trials=80", "space.learning_rate.high=1", "space.batch_size.choices=[32, 64, 128, 256, 512]")
    driven.run()
    later = driven.suggested()[20:]
    assert len(later) == 60
    assert any(params["learning_rate"] > 0.1 for params in later)
    assert any(params["batch_size"] == 512 for params in later)
    assert verify(driven.events) == []


def test_observations_inside_the_new_ranges_keep_counting_and_those_outside_keep_their_place() -> None:
    driven = Driven(make_spec(space=WIDER))
    driven.run()
    whole = driven.policy
    driven.resume("num_trials=31", "space.learning_rate.low=0.001", "space.learning_rate.high=0.02")
    narrowed = driven.policy
    inside = [n for n, params in enumerate(driven.suggested()) if 0.001 <= params["learning_rate"] <= 0.02]
    assert 0 < len(inside) < 30
    counted = narrowed._observed.ordered(99)
    assert counted == [number for number in whole._observed.ordered(99) if number in inside]
    assert narrowed.num_suggested == 30
    assert vars(narrowed._asha) == vars(whole._asha)
    assert narrowed._draws._out == whole._draws._out


def test_values_off_a_new_grid_still_count() -> None:
    driven = Driven(make_spec(space=WIDER))
    driven.run()
    driven.resume("num_trials=60", "space.units.low=32", "space.units.step=32")
    inside = sum(32 <= params["units"] <= 256 for params in driven.suggested())
    assert len(driven.policy._observed.ordered(99)) == inside
    driven.run()
    assert all(params["units"] % 32 == 0 for params in driven.suggested()[30:])


def test_what_was_drawn_before_a_change_is_not_drawn_again() -> None:
    space = {"units": {"low": 1, "high": 4}, "activation": {"choices": ["relu", "tanh"]}}
    driven = Driven(
        make_spec(space=space, num_trials=50, search={"algorithm": "grid"}), curve=lambda params, epoch: 1 / epoch
    )
    driven.run()
    assert driven.policy.exhausted and len(driven.suggested()) == 8
    driven.resume("space.units.high=6")
    driven.run()
    assert driven.policy.exhausted and len({key(params) for params in driven.suggested()}) == 12
    assert verify(driven.events) == []


@settings(max_examples=25)
@given(seed=st.integers(0, 2**16), steps=st.integers(20, 200), factor=st.integers(2, 6))
def test_after_another_reduction_factor_trials_are_judged_by_all_values_at_the_new_rungs(
    seed: int, steps: int, factor: int
) -> None:
    driven = Driven(make_spec(search={"algorithm": "random", "seed": seed}), seed)
    driven.run(steps)
    driven.resume(f"early_stopping.reduction_factor={factor}")
    resumed_at = len(driven.events)
    driven.run()
    rungs = {factor**k for k in range(8) if factor**k < 27}
    assert driven.policy.judged_at == rungs | set(second_looks(sorted(rungs), 27))
    values: dict[int, list[float]] = {rung: [] for rung in rungs}
    for index, event in enumerate(driven.events):
        if not isinstance(event, ev.EpochReported) or event.epoch not in rungs:
            continue
        value = event.metrics["val_accuracy"]
        assert value is not None
        place = sum(other > value for other in values[event.epoch]) + 1
        values[event.epoch].append(value)
        if index >= resumed_at:
            places = max(1, len(values[event.epoch]) // factor)
            is_hopeless = "expected to end at" in event.reason
            assert (event.decision == "continue" or is_hopeless) == (place <= places)
            assert not (is_hopeless and (place == 1 or event.epoch == 1))


EARLIER = [
    EarlierTrial("one", str(number), {"learning_rate": rate, "batch_size": 64, "schedule": "constant"}, 9, 27, 0.9, bad)
    for number, (rate, bad) in enumerate([(0.001, False), (0.05, False), (0.09, True)])
]


def test_what_was_learned_of_earlier_sweeps_is_known_again_as_far_as_the_space_covers_it() -> None:
    driven = Driven(make_spec())
    driven.write(ev.WarmStarted(source="one", trials=[trial.to_plain() for trial in EARLIER]))
    driven.policy.learn(EARLIER)
    driven.run(60)
    assert replay(driven.spec, driven.events)._earlier._trials == EARLIER
    driven.resume("space.learning_rate.high=0.06")
    assert driven.policy._earlier._trials == EARLIER[:2]
    driven.run()
    assert verify(driven.events) == [] and len(fold(driven.events).trials) == 30


@pytest.mark.parametrize(
    ("epoch", "epochs_max", "value", "bad"),
    [
        (28, 27, 0.5, False),
        (-1, 27, math.nan, True),
        (0, 27, 0.5, True),
        (3, 27, math.nan, True),
        (0, 9, math.nan, False),
    ],
)
def test_an_earlier_trial_says_what_must_hold(epoch: int, epochs_max: int, value: float, bad: bool) -> None:
    with pytest.raises(ValueError, match="but got"):
        EarlierTrial("one", "3", {}, epoch, epochs_max, value, bad)


def test_an_earlier_trial_without_a_value_comes_back_from_a_journal() -> None:
    trial = EarlierTrial("one", "3", {"learning_rate": 0.1}, 0, 27, math.nan, True)
    [written] = [ev.decode(ev.encode(ev.WarmStarted(source="one", trials=[trial.to_plain()])))]
    assert isinstance(written, ev.WarmStarted)
    [again] = earlier_trials(written)
    assert math.isnan(again.value) and str(again) == str(trial)


def test_a_finished_sweep_can_be_extended() -> None:
    driven = Driven(make_spec())
    driven.run()
    assert driven.policy.ask() is None
    driven.resume("num_trials=45")
    driven.run()
    assert driven.policy.num_suggested == 45 and verify(driven.events) == []
    with pytest.raises(SpecError, match="45 trials have already started, so it cannot be 44"):
        driven.resume("num_trials=44")


def last_suggested(driven: Driven) -> ev.TrialSuggested:
    return [event for event in driven.events if isinstance(event, ev.TrialSuggested)][-1]


def _tampered(driven: Driven, kind: type, **fields: Any) -> list[str]:
    index = max(i for i, event in enumerate(driven.events) if isinstance(event, kind))
    return verify([*driven.events[:index], msgspec.structs.replace(driven.events[index], **fields)])


def test_what_does_not_follow_from_the_journal_is_told() -> None:
    driven = Driven(make_spec())
    driven.run(60)
    driven.resume("space.learning_rate.high=0.05", "early_stopping.reduction_factor=2")
    driven.run()
    assert verify(driven.events) == []
    params = {**driven.suggested()[-1], "learning_rate": 0.04}
    assert "replay gives Suggestion(trial=29" in _tampered(driven, ev.TrialSuggested, params=params)[0]
    assert "replay gives Suggestion" in _tampered(driven, ev.TrialSuggested, origin="grid")[0]
    assert "replay gives Decision" in _tampered(driven, ev.EpochReported, reason="because")[0]
    assert "replay gives Decision" in _tampered(driven, ev.EpochReported, outcome="diverged")[0]
    assert "ended as failed, but replay gives" in _tampered(driven, ev.TrialEnded, outcome="failed")[0]
    assert "trial 29: suggested twice" in verify([*driven.events, last_suggested(driven)])
    unchanged = [ev.SweepResumed(changes={}) if isinstance(e, ev.SweepResumed) else e for e in driven.events]
    assert verify(unchanged)


@pytest.mark.parametrize("outcome", ["failed", "out_of_memory", "cancelled"])
def test_an_end_without_a_decision_is_taken_as_it_is(outcome: str) -> None:
    driven = Driven(make_spec())
    driven.run(30)
    driven.end(next(iter(driven.running)), outcome)
    driven.run()
    assert verify(driven.events) == []


def test_a_trial_that_failed_is_a_bad_one_to_a_replay_too() -> None:
    spec = make_spec()
    suggestion = Policy(spec.search_settings).ask()
    assert suggestion is not None
    suggested = suggested_event(suggestion)
    for outcome, bad in (("failed", True), ("cancelled", False)):
        policy = replay(spec, [suggested, ev.TrialEnded(trial=0, outcome=outcome, reason="")])
        assert policy.observed(0).bad is bad
