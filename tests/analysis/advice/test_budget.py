"""more_trials and longer: which of the two still pays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import advice
from tuner.analysis.advice.budget import _expected_best, gain_of_trials
from tuner.analysis.advice.standing import Standing
from tuner.analysis.importance_values import Importance, Share, Unknown

SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "units": {"low": 8, "high": 64}}
SOMETHING = Importance({"learning_rate": Share(1.0, 0.9, 1.0)}, {}, {}, {}, num_trials=64, quality=0.8)


def rules(curve: Curve, importance: Importance | Unknown = SOMETHING, **spec: Any) -> dict[str, list[str]]:
    sweep = swept(curve, **{"space": SPACE, "num_trials": 64, **spec})
    return {piece.rule: piece.set for piece in advice(sweep, importance) if piece.rule in ("more_trials", "longer")}


def curve_of(spread: float, tau: float, jitter: float = 0.001, sign: float = 1.0) -> Curve:
    """Ends scattered by `spread`, which curves near with a time constant of `tau` epochs."""
    rng = np.random.default_rng(0)
    ends, jitters = rng.normal(size=1000), rng.normal(size=(1000, 200))

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return float(
            sign * (0.8 + spread * ends[trial] - 0.3 * math.exp(-epoch / tau) + jitter * jitters[trial, epoch])
        )

    return curve


def test_curves_that_still_rise_pay_in_longer_trials() -> None:
    found = rules(curve_of(0.0, 20), UNKNOWN)
    assert found == {"longer": ["epochs.max=54"]}
    assert rules(curve_of(0.0, 20, sign=-1.0), UNKNOWN, objective={"metric": "val_loss", "mode": "min"}) == found
    assert rules(curve_of(0.0, 20), UNKNOWN, early_stopping={"algorithm": "none"}) == found


def test_scattered_ends_pay_in_more_trials() -> None:
    assert rules(curve_of(0.05, 2)) == {"more_trials": ["num_trials=128"]}


def test_where_both_are_flat_nothing_is_said() -> None:
    assert rules(curve_of(0.0, 2)) == {}
    assert rules(lambda p, e, t: 0.9, UNKNOWN) == {}


def test_where_the_parameters_explain_nothing_more_trials_bring_luck_alone() -> None:
    assert rules(curve_of(0.05, 2), UNKNOWN) == {}


def test_the_larger_gain_comes_first() -> None:
    assert list(rules(curve_of(0.15, 7))) == ["more_trials", "longer"]
    assert list(rules(curve_of(0.01, 25))) == ["longer"]  # more trials would bring little beside it


def test_searched_epochs_and_short_trainings_are_left_alone() -> None:
    assert rules(curve_of(0.0, 20), UNKNOWN, space={**SPACE, "epochs": {"low": 9, "high": 27}}) == {}
    assert rules(curve_of(0.0, 20), UNKNOWN, epochs={"min": 1, "max": 6}) == {}


def test_the_expected_best_of_some_is_the_mean_over_all_ways_to_draw_them() -> None:
    assert _expected_best([1.0, 2.0, 4.0], 3) == 1.0
    assert math.isclose(_expected_best([1.0, 2.0, 4.0], 2), (1 + 1 + 2) / 3)
    assert math.isclose(_expected_best([1.0, 2.0, 4.0], 1), 7 / 3)


def test_the_gain_is_about_what_as_many_trials_again_bring() -> None:
    brought, foreseen = [], []
    for seed in range(20):
        ends = np.random.default_rng(seed).normal(size=128)
        sweep = swept(
            lambda p, e, t, ends=ends: float(ends[t]), space=SPACE, epochs={"min": 1, "max": 1}, num_trials=64
        )
        foreseen.append(gain_of_trials(Standing(sweep)) or 0.0)
        brought.append(max(0.0, ends.max() - ends[:64].max()))
    assert 0.5 < np.mean(foreseen) / np.mean(brought) < 2
