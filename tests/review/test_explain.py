"""Explanations: they agree with every decision that a journal holds, also where the spec changed on the way."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.test_replay import POINTS, WIDER, Driven
from tests.simulation import accuracy, make_spec
from tuner.policy.policy import STARTUP_OBSERVATIONS
from tuner.review.explain import ORIGINS, Explanation, explain
from tuner.sweep import events as ev
from tuner.sweep import fold


def driven_sweep(seed: int = 0, steps: int = 100_000, **changes: Any) -> Driven:
    def curve(params: Any, epoch: int) -> float:
        return math.nan if params["learning_rate"] > 0.08 else accuracy(params, epoch)

    driven = Driven(make_spec(**changes), seed, curve)
    driven.run(steps)
    return driven


def reasons(driven: Driven, trial: int) -> dict[int, tuple[str, str]]:
    """Decision and reason of each epoch."""
    epochs = (e for e in driven.events if isinstance(e, ev.EpochReported) and e.trial == trial)
    return {epoch.epoch: (epoch.decision, epoch.reason) for epoch in epochs}


def check(driven: Driven, found: Explanation) -> None:
    """Every judgement says what the journal says."""
    decided = reasons(driven, found.trial)
    for rung in found.judgements:
        decision, reason = decided.pop(rung.epoch)
        assert (decision == "continue") == rung.goes_on
        by_now = "by now " if rung.epoch > rung.rung else ""
        words = f"{by_now}place {rung.place} of {rung.size} at epoch {rung.rung}, the best {rung.places} go on"
        standing, _, why_not = reason.partition("; ")
        assert standing == words
        is_enough = rung.cutoff is None or rung.value >= rung.cutoff
        assert is_enough == (rung.place <= rung.places) == (rung.goes_on or "expected to end at" in why_not)
        values = [other.value for other in rung.compared]
        assert values == sorted(values, reverse=True) and len(values) == rung.size - 1
        assert found.trial not in {other.trial for other in rung.compared}
    assert not any("place" in reason for _, reason in decided.values())


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**16),
    steps=st.integers(0, 150),
    change=st.sampled_from(["early_stopping.reduction_factor=2", "early_stopping.algorithm=none", "num_trials=40"]),
)
def test_every_judgement_is_the_journals(seed: int, steps: int, change: str) -> None:
    driven = driven_sweep(seed, steps, search={"seed": seed, "algorithm": "random"})
    driven.resume(change)
    driven.run()
    sweep = fold(driven.events)
    for trial in sweep.trials.values():
        found = explain(driven.events, trial.number)
        check(driven, found)
        assert (found.outcome, found.reason, found.epochs) == (trial.outcome, trial.reason, trial.epochs_trained)
        assert found.params == trial.params and found.origin == trial.origin


def test_values_on_less_is_better_are_told_in_their_own_sign() -> None:
    driven = Driven(make_spec(objective={"metric": "val_accuracy", "mode": "min"}, search={"algorithm": "random"}))
    driven.run()
    stopped = next(trial for trial in fold(driven.events).trials.values() if trial.outcome == "stopped")
    last = explain(driven.events, stopped.number).judgements[-1]
    assert last.cutoff is not None and last.value > last.cutoff > 0
    assert [other.value for other in last.compared] == sorted(other.value for other in last.compared)


def test_a_suggestion_tells_what_was_known_then() -> None:
    driven = driven_sweep(search={"seed": 3, "points": POINTS[:1]}, space=WIDER, num_trials=40)
    first = explain(driven.events, 0)
    assert (first.origin, first.why) == ("point", ORIGINS["point"])
    assert (first.num_observed, first.num_running, first.good) == (0, 0, ())
    for trial in fold(driven.events).trials.values():
        found = explain(driven.events, trial.number)
        assert found.num_observed + found.num_running == trial.number
        assert len(found.good) <= math.ceil(0.25 * math.sqrt(max(trial.number, 1)))
        assert {good.trial for good in found.good} <= set(range(trial.number))
        assert not found.good or found.num_observed >= STARTUP_OBSERVATIONS
    assert found.good and all(math.isfinite(good.value) and good.epoch > 0 for good in found.good)


@pytest.mark.parametrize("algorithm", ["random", "grid"])
def test_without_a_model_no_trial_is_held_as_good(algorithm: str) -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log", "num": 5}}
    driven = driven_sweep(search={"algorithm": algorithm}, space=space)
    found = explain(driven.events, 4)
    assert (found.origin, found.good) == (algorithm, ()) and found.num_observed


def test_an_unfinished_trial_has_no_end_and_a_failed_attempt_is_told() -> None:
    driven = driven_sweep(steps=30)
    trial = next(iter(driven.running))
    driven.write(ev.AttemptFailed(trial=trial, attempt=1, cause="worker", reason="its process died"))
    found = explain(driven.events, trial)
    assert found.outcome is None and [failed.cause for failed in found.failures] == ["worker"]
    driven.end(trial, "failed", "its process died")
    assert explain(driven.events, trial).outcome == "failed"


def test_an_origin_of_another_version_is_told_as_it_is() -> None:
    driven = driven_sweep(steps=1)
    suggested = driven.events[1]
    assert isinstance(suggested, ev.TrialSuggested)
    driven.events[1] = ev.TrialSuggested(trial=0, params=suggested.params, origin="oracle")
    assert explain(driven.events, 0).why == "drawn as 'oracle'"


def test_a_trial_that_never_was_is_told() -> None:
    with pytest.raises(LookupError):
        explain(driven_sweep(steps=5).events, 30)


def test_a_training_whose_last_epoch_is_a_rungs_is_not_compared_there() -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "epochs": {"choices": [3, 27]}}
    driven = driven_sweep(space=space, num_trials=12, search__algorithm="random")
    trials = fold(driven.events).trials.values()
    assert {trial.epochs_trained for trial in trials if trial.outcome == "completed"} == {3, 27}
    for trial in trials:
        check(driven, explain(driven.events, trial.number))
