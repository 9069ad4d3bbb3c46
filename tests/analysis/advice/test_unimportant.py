"""does_not_matter: parameters with a negligible importance are fixed."""

from __future__ import annotations

import math
from typing import Any

from tests.synthetic import UNKNOWN, swept
from tuner.analysis.advice import Advice, advice
from tuner.analysis.importance_values import Importance, Share, Unknown

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64, 128]},
    "schedule": {"choices": ["constant", "exponential"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    "dropout": {"low": 0.0, "high": 0.5, "step": 0.1},
    "hidden": {"low": 16, "high": 64, "repeat": 2},
}
NEGLIGIBLE = Share(0.01, 0.0, 0.02)


def known(*unimportant: str, quality: float = 0.8, num_trials: int = 40) -> Importance:
    shares = {"learning_rate": Share(0.9, 0.8, 1.0), **dict.fromkeys(unimportant, NEGLIGIBLE)}
    return Importance(shares, {}, {}, {}, num_trials, quality)


def found(importance: Importance | Unknown, epoch_s: Any = lambda params: 1.0) -> list[Advice]:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return -((math.log10(params["learning_rate"]) + 2.5) ** 2)

    sweep = swept(curve, space=SPACE, num_trials=40, epoch_s=epoch_s)
    return [piece for piece in advice(sweep, importance) if piece.rule == "does_not_matter"]


def test_it_is_fixed_at_the_best_trials_value() -> None:
    [piece] = found(known("dropout"))
    assert piece.says.startswith("Of the differences between 40 trials next to nothing is due to dropout (at most 2%).")
    assert "Fix dropout at 0" in piece.says and piece.set[0].startswith("space.dropout=0")
    assert "run sweep.yaml --name test-2" in piece.command


def test_several_are_fixed_together_under_their_conditions() -> None:
    [piece] = found(known("dropout", "decay_rate"))
    assert "dropout (at most 2%) and decay_rate (at most 2%)" in piece.says
    assert piece.set[1].startswith("space.decay_rate={value: 0.") and piece.set[1].endswith(
        "when: {schedule: exponential}}"
    )


def test_of_batch_sizes_that_change_nothing_the_fastest_is_taken() -> None:
    [piece] = found(known("batch_size"), epoch_s=lambda params: 320 / params["batch_size"])
    assert piece.set == ["space.batch_size=128"]


def test_lists_and_what_others_depend_on_stay() -> None:
    assert found(known("hidden[0]", "schedule")) == []


def test_a_poor_forest_a_wide_interval_and_few_trials_say_nothing() -> None:
    assert found(UNKNOWN) == found(known("dropout", quality=0.1)) == found(known("dropout", num_trials=12)) == []
    wide = Importance({"learning_rate": Share(0.9, 0.8, 1.0), "dropout": Share(0.02, 0.0, 0.2)}, {}, {}, {}, 40, 0.8)
    assert found(wide) == []


def test_what_decides_among_the_good_ones_stays() -> None:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        rate = math.log10(params["learning_rate"])
        return -(10.0 if rate > -2 else 0.0) - 0.2 * params["dropout"] + 0.001 * (trial % 7)

    sweep = swept(curve, space=SPACE, num_trials=60)
    pieces = [piece for piece in advice(sweep, known("dropout")) if piece.rule == "does_not_matter"]
    assert pieces == []
