"""The policy: a pure function of what it was told, with the properties that a practitioner relies on."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation import accuracy, make_spec, run_one_by_one, trials_of
from tuner.policy import CONTINUE, STOP, Policy
from tuner.policy.asha import Asha, rung_epochs, second_looks
from tuner.policy.observations import Observations
from tuner.policy.policy import STARTUP_OBSERVATIONS


def test_rungs_are_powers_of_the_reduction_factor() -> None:
    assert rung_epochs(1, 27, 3) == [1, 3, 9]
    assert rung_epochs(2, 30, 4) == [2, 8]
    assert rung_epochs(5, 5, 3) == []


def test_second_looks_lie_between_a_rung_but_the_first_and_what_comes_next() -> None:
    assert second_looks([1, 3, 9], 27) == {4: 3, 6: 3, 12: 9, 18: 9}
    assert second_looks([1, 3, 9], 11) == {4: 3, 6: 3, 10: 9}
    assert second_looks([1, 2, 4, 8], 10) == {3: 2, 6: 4, 9: 8}
    assert second_looks([2], 5) == second_looks([], 27) == {}


def test_asha_lets_the_best_third_of_a_rung_go_on() -> None:
    asha = Asha([1, 3], 3)
    losses = [0.5, 0.4, 0.6, 0.3, 0.45, 0.2, 0.55, 0.25, 0.1]
    verdicts = [asha.judge(1, loss) for loss in losses]
    assert [verdict is not None and verdict.goes_on for verdict in verdicts] == [
        True, True, False, True, False, True, False, True, True,
    ]  # fmt: skip
    assert str(verdicts[2]) == "place 3 of 3 at epoch 1, the best 1 go on"
    assert asha.judge(2, 9.9) is None


def test_trials_end_completed_or_stopped_at_a_rung() -> None:
    ended = run_one_by_one(Policy(make_spec().search_settings))
    assert [trial for trial, _, _ in ended] == list(range(30))
    assert {epochs for _, outcome, epochs in ended if outcome == "completed"} == {27}
    assert {epochs for _, outcome, epochs in ended if outcome == "stopped"} <= {1, 3, 9}
    assert Counter(outcome for _, outcome, _ in ended)["stopped"] > 15


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_trial_that_passes_a_rung_but_can_hardly_become_the_best_is_stopped_there(mode: str) -> None:
    """Trials that halve their loss from rung to rung; the later ones are worse, but among the best third so far."""
    sign = -1.0 if mode == "max" else 1.0
    policy = Policy(make_spec(objective__mode=mode, num_trials=40).search_settings)
    losses = [0.10, 0.09, 0.08, 0.07, 0.06, 0.05, *(1.0 + 0.1 * k for k in range(20)), 0.055, 0.049]
    ends: dict[int, tuple[int, str, str]] = {}
    for loss in losses:
        suggestion = policy.ask()
        assert suggestion is not None
        for epoch in range(1, 28):
            decision = policy.tell(suggestion.trial, epoch, sign * loss * 0.5 ** math.log(epoch, 3))
            if decision.outcome:
                policy.close(suggestion.trial, decision.outcome)
                ends[suggestion.trial] = (epoch, decision.outcome, decision.reason)
                break
    assert [ends[number][:2] for number in range(6)] == [(27, "completed")] * 6
    assert {ends[number][:2] for number in range(6, 26)} == {(1, "stopped")}
    epoch, outcome, reason = ends[26]
    assert (epoch, outcome) == (3, "stopped") and reason.startswith("place 2 of 7 at epoch 3, the best 2 go on; ")
    assert f"is expected to end at {sign * 0.055 / 8:.4g} +- " in reason
    assert reason.endswith(f"the best so far is {sign * 0.05 / 8:.4g}")
    assert ends[27][:2] == (27, "completed")  # the first of its rung is never given up


@pytest.mark.parametrize("deviations, outcome", [(0.5, None), (1.4, None), (1.6, "stopped")])
def test_hopeless_is_what_is_expected_to_end_more_than_one_and_a_half_deviations_short_of_the_best(
    deviations: float, outcome: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(make_spec(objective__mode="min").search_settings)
    for loss in (0.1, 0.3, 0.3, 0.3, 0.3, 0.2):
        suggestion = policy.ask()
        assert suggestion is not None
        policy.tell(suggestion.trial, 1, loss)
        monkeypatch.setattr(Observations, "outlook", lambda *_: (0.1 + deviations * 0.04, 0.04))
        decision = policy.tell(suggestion.trial, 3, loss)
    assert decision.reason.startswith("place 2 of 6 at epoch 3, the best 2 go on") and decision.outcome == outcome


@pytest.mark.parametrize("losses, epoch, place", [((0.3, 0.2), 3, 1), ((0.3, 0.3, 0.3, 0.1, 0.3, 0.2), 1, 2)])
def test_neither_the_first_of_a_rung_nor_anyone_at_the_first_rung_is_given_up_as_hopeless(
    losses: tuple[float, ...], epoch: int, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Observations, "outlook", lambda *_: (9.9, 0.0))
    policy = Policy(make_spec(objective__mode="min").search_settings)
    for loss in losses:
        suggestion = policy.ask()
        assert suggestion is not None
        for told in range(1, epoch + 1):
            decision = policy.tell(suggestion.trial, told, loss)
    assert (
        decision.reason.startswith(f"place {place} of {len(losses)} at epoch {epoch}") and decision.action == CONTINUE
    )


@pytest.mark.parametrize("origin", ["random", "tpe"])
def test_a_bad_end_before_the_first_rung_is_a_try_that_earned_nothing_and_a_later_one_no_second_try(
    origin: str,
) -> None:
    policy = Policy(make_spec().search_settings)
    arms = policy._mixture._arms
    before = arms[origin == "tpe"].trials
    for trial in range(2):
        suggestion = policy.propose()
        assert suggestion is not None
        policy.adopt(replace(suggestion, trial=trial, origin=origin))
    policy.tell(0, 1, math.nan)
    policy.close(0, "diverged")
    assert arms[origin == "tpe"].trials == before + 1
    policy.tell(1, 1, 0.5)
    policy.tell(1, 2, math.nan)
    assert arms[origin == "tpe"].trials == before + 2 and arms[origin != "tpe"].trials == before


def test_getting_further_pays_more_than_a_start() -> None:
    """Of two policies that differ in how far a draw came, the one where it came further asks for more draws."""
    shares = []
    for epochs in (1, 3):
        policy = Policy(make_spec().search_settings)
        suggestion = policy.ask()
        assert suggestion is not None
        for epoch in range(1, epochs + 1):
            policy.tell(suggestion.trial, epoch, 0.5)
        shares.append(policy._mixture._arms[False].earned)
    assert shares[1] - shares[0] == 3


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_trial_that_was_early_at_a_rung_is_looked_at_again_when_more_have_come_there(mode: str) -> None:
    sign = -1.0 if mode == "max" else 1.0
    policy = Policy(make_spec(objective__mode=mode).search_settings)
    early, *later = (suggestion.trial for _ in range(7) if (suggestion := policy.ask()) is not None)

    def told(trial: int, epochs: range, loss: float) -> list[tuple[str, str | None, str]]:
        decisions = [policy.tell(trial, epoch, sign * loss) for epoch in epochs]
        return [(decision.action, decision.outcome, decision.reason) for decision in decisions]

    told(early, range(1, 4), 0.5)
    assert told(early, range(4, 6), 0.1)[0] == ("continue", None, "by now place 1 of 1 at epoch 3, the best 1 go on")
    for number, trial in enumerate(later):
        told(trial, range(1, 4), 0.4 - 0.01 * number)
    # its value at epoch 3 counts, not the better one that it has by now
    assert told(early, range(6, 7), 0.1) == [("stop", "stopped", "by now place 7 of 7 at epoch 3, the best 2 go on")]
    best = told(later[-1], range(4, 7), 0.9)
    assert {(action, outcome) for action, outcome, _ in best} == {("continue", None)}
    assert best[-1][2] == "by now place 1 of 7 at epoch 3, the best 2 go on"


def test_without_early_stopping_every_trial_completes() -> None:
    ended = run_one_by_one(Policy(make_spec(early_stopping={"algorithm": "none"}, epochs={"max": 4}).search_settings))
    assert {(outcome, epochs) for _, outcome, epochs in ended} == {("completed", 4)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_diverged_trial_is_stopped_at_once_and_counts_as_bad(value: float, mode: str) -> None:
    policy = Policy(make_spec(objective__mode=mode).search_settings)
    first, second = policy.ask(), policy.ask()
    assert first is not None and second is not None
    decision = policy.tell(first.trial, 1, value)
    assert (decision.action, decision.outcome) == (STOP, "diverged")
    assert policy.tell(second.trial, 1, -1e9 if mode == "max" else 1e9).action == CONTINUE
    assert policy._observed.ordered(99) == [second.trial, first.trial]


def test_a_failed_trial_counts_as_bad_and_a_running_one_as_mediocre() -> None:
    policy = Policy(make_spec().search_settings)
    good, running, failed = (policy.ask() for _ in range(3))
    assert good and running and failed
    policy.tell(good.trial, 1, 0.5)
    policy.close(failed.trial, "failed")
    assert policy._observed.ordered(99) == [good.trial, running.trial, failed.trial]


@pytest.mark.parametrize("outcome", ["failed", "diverged"])
def test_the_best_value_of_a_trial_that_came_to_a_bad_end_is_no_mark_for_others(outcome: str) -> None:
    policy = Policy(make_spec(objective__mode="min", num_trials=40).search_settings)

    def train(loss: float, until: int = 27) -> tuple[int, str | None]:
        suggestion = policy.ask()
        assert suggestion is not None
        for epoch in range(1, until + 1):
            decision = policy.tell(suggestion.trial, epoch, loss * 0.5 ** math.log(epoch, 3))
            if decision.outcome:
                policy.close(suggestion.trial, decision.outcome)
                return epoch, decision.outcome
        if outcome == "diverged":
            policy.tell(suggestion.trial, until + 1, math.nan)
        policy.close(suggestion.trial, outcome)
        return until, outcome

    for loss in (0.10, 0.09, 0.08, 0.07, 0.06, 0.05):
        assert train(loss) == (27, "completed")
    assert train(0.016, until=20) == (20, outcome)
    for number in range(26):
        train(1 + number / 10)
    assert train(0.045) == (27, "completed")  # the second of its rung, and better than all that are of use


def test_a_mark_that_came_to_a_bad_end_gives_way_to_the_best_of_the_others() -> None:
    policy = Policy(make_spec(objective__mode="min").search_settings)
    for trial, loss in enumerate((0.4, 0.2, 0.3)):
        policy.ask()
        policy.tell(trial, 1, loss)
    policy.close(1, "failed")
    assert policy._best_loss == 0.3
    policy.close(0, "failed")
    assert policy._best_loss == 0.3


def test_the_first_trial_may_be_the_best() -> None:
    policy = Policy(make_spec().search_settings)
    for trial in range(STARTUP_OBSERVATIONS):
        assert policy.good() == []
        policy.ask()
        policy.tell(trial, 1, 0.9 - 0.01 * trial)
    assert policy.good() == [0]


def test_the_model_knows_usable_trials_from_running_and_bad_ones() -> None:
    policy = Policy(make_spec().search_settings)
    for _ in range(3):
        policy.ask()
    policy.tell(0, 1, 0.5)
    policy.tell(1, 1, math.nan)
    split = policy._split()
    assert (split.usable, split.bad, sorted(split.numbers), split.odds) == ([0], [1], [0, 1, 2], 1)


def test_bad_trials_are_never_held_as_good() -> None:
    policy = Policy(make_spec(num_trials=100).search_settings)
    for number in range(2 * STARTUP_OBSERVATIONS):
        suggestion = policy.ask()
        assert suggestion is not None and suggestion.origin == "random"
        policy.tell(suggestion.trial, 1, math.nan)
        policy.close(suggestion.trial, "diverged")
        assert policy._split().good == [] and len(policy._split().bad) == number + 1
    suggestion = policy.ask()
    assert suggestion is not None
    policy.tell(suggestion.trial, 1, 0.1)
    assert policy.good() == [suggestion.trial]


@settings(max_examples=25)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=80, max_size=80))
def test_any_finite_value_is_taken(values: list[float]) -> None:
    """A penalty of 1e300 in a user's metric is nothing to end a sweep for."""
    policy = Policy(make_spec(epochs__max=9).search_settings)
    left = iter(values)
    run_one_by_one(policy, lambda params, epoch: next(left, 0.5))
    assert policy.num_observed == 30


def test_deeper_rungs_come_first_then_the_value_there() -> None:
    policy = Policy(make_spec().search_settings)
    trials = [policy.ask() for _ in range(3)]
    for epoch in (1, 2, 3):
        policy.tell(0, epoch, 0.5)
    policy.tell(1, 1, 0.9)
    policy.tell(2, 1, 0.95)
    assert all(trials)
    assert policy._observed.ordered(99) == [0, 2, 1]


def test_epochs_in_the_space_are_a_trials_whole_training() -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1e-1}, "epochs": {"choices": [2, 5]}}
    ended = run_one_by_one(Policy(make_spec(space=space).search_settings))
    assert {epochs for _, outcome, epochs in ended if outcome == "completed"} <= {2, 5}


def test_every_suggestion_names_its_epochs() -> None:
    suggestion = Policy(make_spec().search_settings).ask()
    assert suggestion is not None and suggestion.epochs == 27 and "epochs" not in suggestion.params
    searched = Policy(make_spec(space={"epochs": {"choices": [2]}}).search_settings).ask()
    assert searched is not None and (searched.epochs, searched.params) == (2, {"epochs": 2})


def test_suggestions_depend_on_seed_number_and_history_alone() -> None:
    def history(seed: int) -> list[Any]:
        policy = Policy(make_spec(search__seed=seed).search_settings)
        run_one_by_one(policy)
        return [observed.params for observed in trials_of(policy)]

    assert history(1) == history(1) != history(2)
    np.random.seed(0)
    assert history(1) == history(1)


def test_draws_are_broad_ones_only_once_there_is_a_model_and_never_all() -> None:
    policy = Policy(make_spec(num_trials=120).search_settings)
    origins = []
    while suggestion := policy.ask():
        origins.append(suggestion.origin)
        policy.tell(suggestion.trial, 1, accuracy(suggestion.params, 1))
    counts = Counter(origins[STARTUP_OBSERVATIONS:])
    assert set(origins[:STARTUP_OBSERVATIONS]) == {"random"}
    assert counts["tpe"] > 0 and counts["broad"] > counts["random"] > 0
    assert policy._modelled == {trial for trial, origin in enumerate(origins) if origin == "tpe"}


@settings(max_examples=15)
@given(seed=st.integers(0, 2**16), diverging=st.booleans())
def test_asking_never_depends_on_when_the_policy_was_built(seed: int, diverging: bool) -> None:
    """A policy that adopts another's history answers the next ask as that one does."""
    rng = np.random.default_rng(seed)
    live, told = Policy(make_spec(search__seed=seed).search_settings), []
    running: list[Any] = []
    for _ in range(60):
        if rng.random() < 0.5 or not running:
            suggestion = live.ask()
            if suggestion is None:
                break
            told.append(("ask", suggestion))
            running.append([suggestion, 0])
            continue
        pick = running[int(rng.integers(len(running)))]
        pick[1] += 1
        value = math.nan if diverging and rng.random() < 0.1 else accuracy(pick[0].params, pick[1])
        decision = live.tell(pick[0].trial, pick[1], value)
        told.append(("tell", pick[0].trial, pick[1], value))
        if decision.action == STOP:
            live.close(pick[0].trial, decision.outcome or "")
            told.append(("close", pick[0].trial, decision.outcome))
            running.remove(pick)
    again = Policy(make_spec(search__seed=seed).search_settings)
    for what, *args in told:
        {"ask": again.adopt, "tell": again.tell, "close": again.close}[what](*args)
    assert again.ask() == live.ask()


def test_the_policy_takes_plain_settings_and_knows_no_spec() -> None:
    """Of the spec's room it knows the space, what is feasible in it, and the settings."""
    folder = Path(__file__).parents[2] / "tuner" / "policy"
    found = {
        name for file in folder.glob("*.py") for name in re.findall(r"from (tuner\.spec\S*) import", file.read_text())
    }
    assert found == {"tuner.spec.space", "tuner.spec.search_settings", "tuner.spec.feasible"}


def test_the_policy_imports_nothing_heavy() -> None:
    heavy = ["ray", "tensorflow", "keras", "mlflow", "ruamel", "msgspec"]
    code = f"import sys, tuner.policy; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]", done.stderr
