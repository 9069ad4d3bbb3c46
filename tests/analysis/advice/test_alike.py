"""cannot_tell_apart: the best differ by less than the noise, and are trained with another seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "schedule": {"choices": ["constant", "exponential"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    "batch_size": 64,
}


def found(curve: Curve, **spec: Any) -> list[Advice]:
    sweep = swept(curve, **{"space": SPACE, "num_trials": 30, **spec})
    return [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "cannot_tell_apart"]


def jittered(by: float, spread: float) -> Curve:
    """Flat curves that jitter, around ends that lie apart."""
    jitter = np.random.default_rng(0).normal(size=(200, 100))
    return lambda params, epoch, trial: float(0.9 - spread * trial + by * jitter[trial, epoch])


def test_trials_within_the_scatter_of_their_epochs_are_named_and_trained_again() -> None:
    [piece] = found(jittered(0.005, 0.001), early_stopping={"algorithm": "none"})
    assert piece.says.startswith("The best ") and "cannot be told apart" in piece.says
    assert "the scatter between their last epochs has a standard deviation of 0.00" in piece.says
    assert piece.set[0].startswith("search.points=[{learning_rate: 0.") and "batch_size" not in piece.set[0]
    assert piece.set[1:] == ["search.seed=4", "num_trials=5"]


def test_with_early_stopping_it_is_turned_off_for_them() -> None:
    [piece] = found(jittered(0.02, 0.0))
    assert piece.set[-1] == "early_stopping.algorithm=none"


def test_a_best_trial_that_stands_out_is_the_best() -> None:
    assert found(jittered(0.0001, 0.01), early_stopping={"algorithm": "none"}) == []
    assert found(lambda params, epoch, trial: 0.9) == []  # no noise at all


def test_repeats_of_the_same_parameters_tell_the_noise() -> None:
    draws = np.random.default_rng(0).normal(size=100)
    point = {"learning_rate": 0.01, "schedule": "constant"}
    spec = {
        "search": {"algorithm": "random", "seed": 3, "points": [point] * 4},
        "early_stopping": {"algorithm": "none"},
    }

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        away = math.log10(params["learning_rate"]) + 2
        return float(0.9 - 0.1 * away**2 + 0.01 * draws[trial])

    found_by_repeats = found(curve, epochs={"min": 1, "max": 2}, **spec)
    if len({trial for trial in range(4)}) == 4 and found_by_repeats:  # where points may be repeated
        assert "trials with the same parameters" in found_by_repeats[0].says


def test_short_trainings_without_repeats_tell_nothing() -> None:
    assert found(jittered(0.02, 0.0), epochs={"min": 1, "max": 5}) == []
