"""Whether the bests of two sweeps differ by more than chance."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from tuner.analysis.comparison import compare
from tuner.analysis.difference import difference
from tuner.analysis.noise import deviation
from tuner.analysis.results import results_after
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def sweep_of(name: str, trials: list[list[float]], mode: str = "max", **spec: Any) -> Sweep:
    """Trials one after the other, each with the values of its epochs."""
    written = {"name": name, "objective": {"metric": "score", "mode": mode}, "num_trials": len(trials), "space": {}}
    told: list[ev.AnyEvent] = [ev.SweepStarted(at=100.0, spec={**written, **spec}, versions={}, seed=0)]
    for number, values in enumerate(trials):
        told.append(ev.TrialSuggested(at=101.0, trial=number, params={"x": number}, origin="random"))
        for epoch, value in enumerate(values, 1):
            told.append(
                ev.EpochReported(
                    at=101.0, seq=len(told), trial=number, attempt=1, epoch=epoch, metrics={"score": value},
                    epoch_s=0.5, decision="continue", reason="",
                )
            )  # fmt: skip
    return fold(told)


def drawn(name: str, seed: int, num_trials: int = 30, shift: float = 0.0, mode: str = "max") -> Sweep:
    draws = random.Random(seed)
    return sweep_of(name, [[draws.gauss(shift, 1.0)] for _ in range(num_trials)], mode)


def test_sweeps_far_apart_are_told_apart_in_either_order_and_direction() -> None:
    good, bad = drawn("good", 1, shift=8.0), drawn("bad", 2)
    found = difference(good, bad)
    assert found.better == "good" and found.low is not None and found.by is not None and found.high is not None
    assert 0 < found.low <= found.by <= found.high
    assert found.text.startswith("good is better than bad by ")
    turned = difference(bad, good)
    assert (turned.by, turned.low, turned.high, turned.better) == (-found.by, -found.high, -found.low, "good")
    assert turned.text == found.text
    assert difference(drawn("good", 1, shift=-8.0, mode="min"), drawn("bad", 2, mode="min")).better == "good"


def test_sweeps_of_the_same_kind_are_told_apart_no_more_often_than_chance_allows() -> None:
    apart = [difference(drawn("a", seed), drawn("b", seed + 1000)).better for seed in range(300)]
    assert sum(better is not None for better in apart) <= 0.05 * len(apart)
    assert "cannot be told apart: " in difference(drawn("a", 1), drawn("b", 2)).text
    same = difference(drawn("a", 1), drawn("b", 1))
    assert same.by == 0 and same.better is None and "their bests are equal" in same.text


def test_one_lucky_trial_does_not_tell_sweeps_apart() -> None:
    lucky = sweep_of("lucky", [[0.5 + n / 1000] for n in range(20)] + [[0.9]])
    assert difference(lucky, sweep_of("other", [[0.5 + n / 1000] for n in range(21)])).better is None


def test_the_noise_of_trainings_widens_the_interval() -> None:
    def trials(swing: float) -> list[list[float]]:
        return [[0.8 + n / 1e5 + swing * (-1) ** epoch for epoch in range(8)] for n in range(8)]

    below = [[0.79 + n / 1e5] * 8 for n in range(8)]
    assert difference(sweep_of("a", trials(0.0)), sweep_of("b", below)).better == "a"
    assert difference(sweep_of("a", trials(0.02)), sweep_of("b", below)).better is None
    assert deviation(sweep_of("a", [[n / 10 for n in range(9)]])) == pytest.approx(0.0)  # a trend is no noise
    assert deviation(sweep_of("a", [[0.1, 0.2, 0.3]])) == 0.0


def test_values_are_those_within_the_budget_and_trials_without_one_are_worst() -> None:
    sweep = sweep_of("a", [[0.1, 0.4], [math.nan], [0.2, 0.9], [0.3]])
    assert results_after(sweep, 4) == [0.4, 0.2, -math.inf]
    assert results_after(sweep, 6) == [0.9, 0.4, 0.3, -math.inf]
    last = sweep_of("a", [[0.4, 0.1]], early_stopping={"patience": {"restore_best": False}})
    assert results_after(last, 2) == [0.1]
    assert results_after(sweep_of("a", [[0.1]], "min"), 1) == [-0.1]


def test_too_few_trials_are_told_as_the_reason() -> None:
    found = difference(drawn("a", 1), drawn("b", 2, num_trials=3))
    assert (found.better, found.low, found.epochs) == (None, None, 3)
    assert found.text == "a and b: cannot tell yet: after 3 epochs, a has 3 of the 4 trials that it takes"
    empty = difference(drawn("a", 1), sweep_of("b", []))
    assert (empty.by, empty.data()["by"]) == (None, None) and "cannot tell yet" in empty.text
    assert difference(sweep_of("a", [[math.nan]] * 5), drawn("b", 2, num_trials=5)).by is None


def test_every_two_of_three_sweeps_are_compared() -> None:
    pairs = compare([drawn("a", 1), drawn("b", 2), drawn("c", 3, shift=9.0)])["pairs"]
    assert [pair["sweeps"] for pair in pairs] == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert [pair["better"] for pair in pairs] == [None, "c", "c"]
    assert all(pair["low"] <= pair["by"] <= pair["high"] and pair["epochs"] == 30 for pair in pairs)
