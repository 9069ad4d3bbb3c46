"""coupled: the exponent of the best rate in the batch size, where there is one."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from tests.synthetic import UNKNOWN, Curve, swept
from tuner.analysis.advice import Advice, advice

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [16, 32, 64, 128, 256]},
    "dropout": {"low": 0.0, "high": 0.5},
}


def rate_of(power: float, seed: int = 0, sign: float = 1.0) -> Curve:
    """Best at a learning rate that grows with the batch size to this power."""
    noise = np.random.default_rng(seed).normal(size=1000)

    def curve(params: dict[str, Any], epoch: int, trial: int) -> float:
        away = math.log10(params["learning_rate"]) + 2.5 - power * math.log10(params["batch_size"] / 64)
        value = 0.98 - 0.05 * away**2 - 0.5 * math.exp(-epoch / 5) - 0.02 * params.get("dropout", 0)
        return float(sign * value + 0.004 * noise[trial])

    return curve


def found(curve: Curve, **spec: Any) -> list[Advice]:
    sweep = swept(curve, **{"space": SPACE, "num_trials": 64, **spec})
    return [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "coupled"]


@pytest.mark.parametrize(("power", "how"), [(1.0, "linear"), (0.5, "sqrt")])
@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_the_exponent_and_its_interval_are_told_and_the_coupling_is_set(power: float, how: str, algorithm: str) -> None:
    [piece] = found(rate_of(power), num_trials=96, search={"algorithm": algorithm, "seed": 1})
    value, low, high = map(float, re.findall(r"-?\d\.\d\d", piece.says))
    assert low - 0.1 <= power <= high + 0.1 and 0 < low < value < high and high - low < 1
    assert piece.set[0] == f"space.batch_size.scale_learning_rate={how}"
    assert re.fullmatch(r"space\.batch_size\.base=(16|32|64|128|256)", piece.set[1])
    assert piece.command.startswith("tuner run sweep.yaml --name test-2 --set ")


def test_it_holds_for_a_range_of_batch_sizes_and_an_objective_to_be_minimized() -> None:
    space = {**SPACE, "batch_size": {"low": 16, "high": 256, "scale": "log"}}
    objective = {"metric": "val_loss", "mode": "min"}
    assert len(found(rate_of(1.0, sign=-1.0), space=space, objective=objective)) == 1


def test_without_a_coupling_nothing_is_said() -> None:
    assert sum(len(found(rate_of(0.0, seed), search={"algorithm": "random", "seed": seed})) for seed in range(20)) == 0


def test_what_is_coupled_already_or_not_searched_is_left_alone() -> None:
    coupled = {**SPACE, "batch_size": {**SPACE["batch_size"], "scale_learning_rate": "sqrt", "base": 64}}
    assert found(rate_of(1.0), space=coupled) == []
    assert found(rate_of(1.0), space={**SPACE, "batch_size": 64}) == []
    assert found(rate_of(1.0), num_trials=20) == []


def test_of_a_model_that_compiles_itself_it_is_told_but_cannot_be_set() -> None:
    sweep = swept(rate_of(1.0), space=SPACE, num_trials=64)
    sweep.trials[0].used = {"learning_rate": 0.01}
    [piece] = [piece for piece in advice(sweep, UNKNOWN) if piece.rule == "coupled"]
    assert piece.set == [] and piece.command == "" and "to the power of" in piece.text
