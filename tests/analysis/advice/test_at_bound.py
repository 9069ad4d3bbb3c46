"""at_bound: speaks where the best crowd at a bound, and only widens as far as that is meaningful."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice

LOG = {"low": 1e-4, "high": 1e-1, "scale": "log"}
BATCH = {"choices": [32, 64, 128, 256]}


def at_bounds(space: dict[str, Any], curve: Curve, **spec: Any) -> list[Advice]:
    sweep = swept(curve, space=space, **{"num_trials": 64, **spec})
    return [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "at_bound"]


def rising(name: str, sign: float = 1.0) -> Curve:
    """The objective rises with a parameter (on its logarithm where it is above 0), under a little noise."""
    noise = np.random.default_rng(0).normal(size=1000)

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        value = params.get(name, 0)
        number = value[0] if isinstance(value, list) else value
        return float(0.5 + sign * 0.02 * number + 0.0005 * noise[trial] - 0.1 * math.exp(-epoch))

    return curve


@pytest.mark.parametrize(
    ("written", "sign", "expected"),
    [
        (LOG, 1, "space.x.high=0.3"),
        (LOG, -1, "space.x.low=0.00003"),
        ({"low": 1.0, "high": 3.0}, 1, "space.x.high=4"),
        ({"low": -1.0, "high": 1.0}, -1, "space.x.low=-2"),
        ({"low": 32, "high": 256, "step": 32}, 1, "space.x.high=384"),
        ({"low": 1, "high": 4}, 1, "space.x.high=6"),
        ({"low": 16, "high": 256, "scale": "log"}, 1, "space.x.high=1024"),
        ({"low": 0.1, "high": 0.9, "step": 0.1}, 1, "space.x.high=1"),
        (BATCH, 1, "space.x.choices=[32, 64, 128, 256, 512]"),
        (BATCH, -1, "space.x.choices=[16, 32, 64, 128, 256]"),
        ({"choices": [0.1, 0.01, 0.001]}, 1, "space.x.choices=[1, 0.1, 0.01, 0.001]"),
        ({"low": 1, "high": 8, "repeat": 3}, 1, "space.x.high=12"),
        ({"low": 1e-3, "high": 1.0, "scale": "log", "num": 4}, -1, "space.x.low=0.0001"),
    ],
)
def test_a_bound_at_which_the_best_lie_is_widened(written: dict[str, Any], sign: float, expected: str) -> None:
    curve = rising("x", sign)
    if "high" in written and written["high"] <= 1 and written.get("scale") == "log":
        plain = curve

        def curve(params: dict[str, Any], epoch: int, trial: int) -> float:  # by its logarithm
            return plain({"x": math.log10(params["x"])}, epoch, trial)

    space = {"x": written, "weight": {"low": 0.1, "high": 0.7}}
    found = at_bounds(space, curve, num_trials=96)
    assert [piece.set[0] for piece in found] == [expected]
    assert found[0].text.startswith(("The best ", "3 of the best", "4 of the best", "5 of the best"))


def test_the_text_has_figures_and_the_command_that_goes_on() -> None:
    [found] = at_bounds({"learning_rate": LOG, "batch_size": BATCH}, lambda p, e, t: math.log10(p["learning_rate"]))
    begin = "The best 7 of 64 trials lie in the highest tenth of learning_rate (0.0501 to 0.1). Widen it:"
    assert found.says == begin and found.set == ["space.learning_rate.high=0.3", "num_trials=96"]
    assert found.command == "tuner resume test --set space.learning_rate.high=0.3 --set num_trials=96"
    assert found.text == f"{begin} {found.command}"


def test_of_an_objective_to_be_minimized_the_lowest_are_the_best() -> None:
    objective = {"metric": "val_loss", "mode": "min"}
    [found] = at_bounds({"x": LOG}, lambda p, e, t: 2 - math.log10(p["x"]), objective=objective)
    assert found.set[0] == "space.x.high=0.3"


@pytest.mark.parametrize(
    ("name", "written", "sign"),
    [
        ("dropout", {"low": 0.0, "high": 0.5}, -1),
        ("dropout", {"low": 0.0, "high": 0.9}, 1),
        ("momentum", {"low": 0.0, "high": 0.99}, -1),
        ("layers", {"low": 1, "high": 4}, -1),
        ("share", {"low": 0.0, "high": 1.0}, 1),
        ("activation", {"choices": ["relu", "tanh", "elu"]}, 1),
    ],
)
def test_where_the_natural_limit_is_reached_nothing_is_said(name: str, written: dict[str, Any], sign: float) -> None:
    order = {"relu": 0, "tanh": 1, "elu": 2}

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return float(sign * order.get(params[name], params[name]))

    assert at_bounds({name: written}, curve) == []


def test_shares_stay_shares() -> None:
    assert at_bounds({"dropout": {"low": 0.0, "high": 0.5}}, rising("dropout"))[0].set[0] == "space.dropout.high=0.75"
    assert at_bounds({"dropout": {"low": 0.0, "high": 0.7}}, rising("dropout"))[0].set[0] == "space.dropout.high=0.9"
    assert (
        at_bounds({"momentum": {"low": 0.0, "high": 0.9}}, rising("momentum"))[0].set[0] == "space.momentum.high=0.95"
    )


def test_an_optimum_inside_is_no_bound() -> None:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return -((math.log10(params["learning_rate"]) + 2.5) ** 2)

    assert at_bounds({"learning_rate": LOG, "batch_size": BATCH}, curve) == []


def test_a_single_best_by_chance_is_no_crowd() -> None:
    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return 1.0 if params["x"] > 0.09 else -((math.log10(params["x"]) + 3) ** 2)

    assert at_bounds({"x": LOG}, curve) == []


def test_a_bound_beyond_which_trials_diverge_is_not_widened() -> None:
    draws = np.random.default_rng(0).random(200)

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        rate = params["learning_rate"]
        return math.nan if rate > 0.06 and draws[trial] < 0.5 else math.log10(rate)

    assert at_bounds({"learning_rate": LOG}, curve, num_trials=96) == []


def test_few_trials_say_nothing() -> None:
    assert at_bounds({"x": LOG}, rising("x"), num_trials=11) == []


def test_a_conditional_parameter_is_judged_where_it_is_active() -> None:
    space = {"schedule": {"choices": ["constant", "step"]}, "gamma": {**LOG, "when": {"schedule": "step"}}}

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        return math.log10(params["gamma"]) if "gamma" in params else -1.5

    assert [piece.set[0] for piece in at_bounds(space, curve, num_trials=96)] == ["space.gamma.high=0.3"]
