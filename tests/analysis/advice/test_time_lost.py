"""time_lost: what trials that ended badly took, and the bound that avoids them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "units": {"low": 32, "high": 512, "step": 32},
    "optimizer": {"choices": ["adam", "sgd", "adamw"]},
}


def found(curve: Curve, **spec: Any) -> list[Advice]:
    sweep = swept(curve, **{"space": SPACE, "num_trials": 64, **spec})
    return [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "time_lost"]


def good(params: dict[str, Any]) -> float:
    return 0.9 - 0.05 * (math.log10(params["learning_rate"]) + 2.5) ** 2


def test_trials_that_diverge_above_a_rate_are_avoided_by_its_bound() -> None:
    [piece] = found(lambda p, e, t: math.nan if p["learning_rate"] > 0.04 else good(p))
    assert piece.says == (
        "Of 64 trials 11 diverged, which took 5% of the training time (11 s). All 11 had learning_rate above 0.04, and"
        " no other did. Avoid them:"
    )
    assert piece.set == ["space.learning_rate.high=0.04", "num_trials=96"]


def test_a_step_keeps_its_grid_and_failures_without_epochs_count() -> None:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        if params["units"] > 384:
            raise MemoryError("no room for the units")
        return good(params)

    [piece] = found(curve)
    assert "failed. All " in piece.says and piece.set[0] == "space.units.high=384"


def test_a_choice_that_fails_is_taken_out() -> None:
    [piece] = found(lambda p, e, t: math.nan if p["optimizer"] == "sgd" else good(p))
    assert "had optimizer sgd, and no other did" in piece.says
    assert piece.set[0] == "space.optimizer.choices=[adam, adamw]"


def test_bad_trials_below_a_bound_of_an_objective_to_be_minimized() -> None:
    objective = {"metric": "val_loss", "mode": "min"}
    [piece] = found(lambda p, e, t: math.nan if p["learning_rate"] < 3e-4 else -good(p), objective=objective)
    assert piece.set[0].startswith("space.learning_rate.low=0.0003")


def test_a_bound_that_would_leave_out_the_best_is_not_given() -> None:
    draws = np.random.default_rng(1).random(200)

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return (
            math.nan if params["learning_rate"] > 0.02 and draws[trial] < 0.5 else math.log10(params["learning_rate"])
        )

    assert [piece.set for piece in found(curve)] in ([], [[]])


def test_failures_everywhere_are_told_with_their_reason_alone() -> None:
    draws = np.random.default_rng(1).random(200)

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        if draws[trial] < 0.4:
            raise OSError("the disk is full")
        return good(params)

    [piece] = found(curve)
    assert piece.set == [] and piece.text.endswith("The most frequent reason of failures: the disk is full")
    [every] = found(lambda p, e, t: math.nan, num_trials=12)
    assert every.text == "All 12 trials diverged."


def test_few_bad_trials_are_no_loss() -> None:
    assert found(lambda p, e, t: math.nan if t in (5, 9) else good(p)) == []
