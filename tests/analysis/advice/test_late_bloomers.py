"""late_bloomers: speaks where the first rung says little of the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice

SPACE = {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}, "units": {"low": 8, "high": 64}}


def found(curve: Curve, **spec: Any) -> list[Advice]:
    sweep = swept(curve, **{"space": SPACE, "num_trials": 120, "search": {"algorithm": "random", "seed": 0}, **spec})
    return [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "late_bloomers"]


def late(share: float, sign: float = 1.0, seed: int = 0) -> Curve:
    """Low rates start slowly and end best, the more so the larger the share."""
    noise = np.random.default_rng(seed).normal(size=(1000, 30))

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        low = -math.log10(params["learning_rate"]) - 1
        value = 0.9 + 0.08 * share * low - 0.8 * math.exp(-epoch / (1 + 6 * share * low)) - 0.01 * (1 - share) * low
        return float(sign * (value + 0.002 * noise[trial, epoch]))

    return curve


def test_a_rung_that_says_little_of_the_end_is_moved_back() -> None:
    [piece] = found(late(1.0))
    assert piece.says.startswith("Early stopping after 1 epoch cuts late bloomers: of the ")
    assert "of the pairs changed their order. With a probability of " in piece.says
    assert piece.set == ["epochs.min=9"] and " run sweep.yaml --name test-2 --set epochs.min=9" in piece.command


def test_curves_that_keep_their_order_are_cut_rightly() -> None:
    assert [found(late(0.0, seed=seed), search={"algorithm": "random", "seed": seed}) for seed in range(10)] == [
        []
    ] * 10


def test_it_is_the_same_for_an_objective_to_be_minimized() -> None:
    [piece] = found(late(1.0, sign=-1.0), objective={"metric": "val_loss", "mode": "min"})
    assert piece.set == ["epochs.min=9"]


def test_without_early_stopping_nothing_is_cut() -> None:
    assert found(late(1.0), early_stopping={"algorithm": "none"}) == []
    assert found(late(1.0), num_trials=9) == []


def test_where_the_last_rung_decides_fewer_are_stopped_there() -> None:
    starts, ends = np.random.default_rng(0).normal(size=(2, 1000))
    curve = lambda params, epoch, trial: float(starts[trial] - 9 if epoch == 1 else ends[trial])  # noqa: E731
    [piece] = found(curve, epochs={"min": 1, "max": 3})
    assert piece.set == ["early_stopping.reduction_factor=2", "num_trials=180"] and " resume test " in piece.command
