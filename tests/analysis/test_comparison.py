"""Sweeps side by side: equal budgets, equal values, different specs."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.analysis.comparison import compare, differences
from tuner.base.errors import UsageError
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def sweep_of(name: str, values: list[float], mode: str = "max", **spec: Any) -> Sweep:
    """One trial with these values, one an epoch."""
    written = {"name": name, "objective": {"metric": "score", "mode": mode}, "num_trials": 1, "space": {}, **spec}
    told = [
        ev.EpochReported(
            at=101.0 + n, seq=n, trial=0, attempt=1, epoch=n, metrics={"score": value}, epoch_s=0.5,
            decision="continue", reason="",
        )
        for n, value in enumerate(values, 1)
    ]  # fmt: skip
    first = [
        ev.SweepStarted(at=100.0, spec=written, versions={}, seed=0),
        ev.TrialSuggested(at=101.0, trial=0, params={"x": 1}, origin="random"),
    ]
    return fold([*first, *told])


def test_sweeps_are_compared_at_equal_budgets_and_by_the_epochs_to_equal_values() -> None:
    a, b = sweep_of("a", [0.1, 0.2, 0.3, 0.6, 0.7, 0.8, 0.8, 0.8]), sweep_of("b", [0.2, 0.3, 0.3, 0.5])
    found = compare([a, b])
    assert (found["epochs"], found["bar"]) == ([1, 2, 4], 0.5)
    assert [row["after"] for row in found["sweeps"]] == [[0.1, 0.2, 0.6], [0.2, 0.3, 0.5]]
    assert [row["to_reach"] for row in found["sweeps"]] == [4, 4]
    assert found["sweeps"][0]["best"] == {"trial": 0, "value": 0.8, "params": {"x": 1}}
    assert (found["sweeps"][1]["epochs"], found["sweeps"][1]["training_s"]) == (4, 2.0)

    low = compare([sweep_of("a", [0.5, 0.1], "min"), sweep_of("b", [0.4, 0.3], "min")])
    assert low["bar"] == 0.3 and [row["to_reach"] for row in low["sweeps"]] == [2, 2]


def test_a_sweep_without_a_value_sets_no_bar() -> None:
    found = compare([sweep_of("a", [0.5]), sweep_of("b", [])])
    assert (found["epochs"], found["bar"]) == ([], None)
    assert [(row["best"] is None, row["after"], row["to_reach"]) for row in found["sweeps"]] == [
        (False, [], None),
        (True, [], None),
    ]


def test_different_objectives_are_refused() -> None:
    with pytest.raises(UsageError, match="same objective, but a has max score, b has min score"):
        compare([sweep_of("a", [0.5]), sweep_of("b", [0.5], "min")])


def test_only_what_differs_in_the_specs_is_told() -> None:
    one = {"name": "a", "seed": 1, "space": {"x": {"low": 1, "high": 3}, "y": 2}}
    two = {"name": "b", "seed": 1, "space": {"x": {"low": 1, "high": 4}}, "tracking": {"uri": "x"}}
    assert differences([one, two]) == {"space.x.high": [3, 4], "space.y": [2, None]}
    assert differences([one, one]) == {}
    assert differences([{"x": True}, {"x": 1}]) == {"x": [True, 1]}
