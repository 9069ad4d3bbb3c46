"""Importance: against what is known of functions, against Optuna's, and silence where there is nothing to say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.analysis.searches import MNIST, UNITS, mnist_error, searched
from tuner.analysis.importance import _weigh, importance, weighed
from tuner.analysis.importance_values import Importance, Unknown, matters_text
from tuner.spec.space import Params
from tuner.sweep import Sweep


def told(sweep: Sweep) -> Importance:
    found = weighed(sweep)
    assert isinstance(found, Importance), found
    return found


def values(sweep: Sweep) -> dict[str, float]:
    return {name: share.value for name, share in told(sweep).parameters.items()}


def silence(sweep: Sweep) -> str:
    found = weighed(sweep)
    assert isinstance(found, Unknown), found
    assert importance(sweep) is None
    return found.reason


def test_the_learning_rate_comes_first_where_it_decides() -> None:
    found = told(searched(MNIST, mnist_error, noise=0.005))
    assert list(found.parameters)[:2] == ["learning_rate", "units"]
    assert found.parameters["learning_rate"].value > 0.7 and found.num_trials == 64 and found.quality > 0.6
    assert set(found.parameters) == set(MNIST) - {"optimizer"}
    assert matters_text(found).startswith("learning_rate ") and matters_text(found).endswith(", 2 more")


@pytest.mark.parametrize(("num", "noise"), [(24, 0.0), (64, 0.02)])
def test_shares_are_shares_with_an_interval(num: int, noise: float) -> None:
    found = told(searched(MNIST, mnist_error, num, noise=noise))
    assert math.isclose(sum(share.value for share in found.parameters.values()), 1, abs_tol=1e-9)
    for share in [*found.parameters.values(), *found.pairs.values()]:
        assert 0 <= share.low <= share.value <= share.high <= 1
    order = [share.value for share in found.parameters.values()]
    assert order == sorted(order, reverse=True)


def additive(params: Params) -> float:
    return 4 * params["x1"] + 2 * params["x2"] + params["x3"]  # type: ignore[operator]


def ishigami(params: Params) -> float:
    one, two, three = (math.pi * (2 * params[name] - 1) for name in ("x1", "x2", "x3"))  # type: ignore[operator]
    return math.sin(one) + 7 * math.sin(two) ** 2 + 0.1 * three**4 * math.sin(one)


def product(params: Params) -> float:
    return (params["x1"] - 0.5) * (params["x2"] - 0.5)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("function", "num", "known", "tolerance"),
    [
        (additive, 64, [16 / 21, 4 / 21, 1 / 21, 0], 0.16),
        (additive, 300, [16 / 21, 4 / 21, 1 / 21, 0], 0.06),
        (ishigami, 300, [0.436, 0.442, 0.122, 0], 0.08),
        (product, 150, [0.5, 0.5, 0, 0], 0.08),
    ],
)
def test_functions_with_known_indices(function: Any, num: int, known: list[float], tolerance: float) -> None:
    """Sobol's indices of the first order, and half of each pair's (Shapley effects: Owen 2014)."""
    found = values(searched(UNITS, function, num))
    assert [found[name] for name in UNITS] == pytest.approx(known, abs=tolerance)


def test_a_pair_that_acts_together_is_found() -> None:
    found = told(searched(UNITS, product, 150))
    pair, share = next(iter(found.pairs.items()))
    assert set(pair) == {"x1", "x2"} and share.value > 0.7
    assert all(other.value < 0.1 for pair, other in list(found.pairs.items())[1:])


@pytest.mark.parametrize(
    ("space", "function"),
    [
        (UNITS, additive),
        (MNIST, mnist_error),
        (
            {**UNITS, "kind": {"choices": ["a", "b", "c", "d"]}},
            lambda p: 0.2 * p["x1"] + {"a": 0.0, "b": 1.0, "c": 0.1, "d": 0.9}[p["kind"]],
        ),
        (
            {
                "warm": {"choices": [False, True]},
                "steps": {"low": 0.0, "high": 1.0, "when": {"warm": True}},
                "x1": {"low": 0.0, "high": 1.0},
            },
            lambda p: p["warm"] * 1.0 + 0.5 * p.get("steps", 0.0) + 0.05 * p["x1"],
        ),
    ],
    ids=["additive", "log", "choices", "conditional"],
)
@pytest.mark.filterwarnings("ignore")
def test_optuna_says_the_same(space: dict[str, Any], function: Any) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sweep = searched(space, function, 120, noise=0.002)
    study = optuna.create_study()
    kinds = {name: _distribution(optuna, written) for name, written in space.items() if isinstance(written, dict)}
    always = [name for name in kinds if "when" not in space[name]]
    for trial in sweep.trials.values():
        params = {name: value for name, value in trial.params.items() if name in kinds}
        used = {name: kinds[name] for name in params}
        study.add_trial(optuna.create_trial(params=params, distributions=used, value=trial.best_value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    theirs = optuna.importance.get_param_importances(study, evaluator=evaluator, params=always)
    ours = values(sweep)
    assert max(theirs, key=theirs.__getitem__) == max(ours, key=ours.__getitem__)
    assert [ours[name] for name in always] == pytest.approx([theirs[name] for name in always], abs=0.2)


def _distribution(optuna: Any, written: dict[str, Any]) -> Any:
    if "choices" in written:
        return optuna.distributions.CategoricalDistribution(written["choices"])
    kind = "FloatDistribution" if isinstance(written["low"], float) else "IntDistribution"
    is_log = written.get("scale") == "log"
    return getattr(optuna.distributions, kind)(written["low"], written["high"], log=is_log)


def test_neither_the_unit_nor_the_mode_changes_anything() -> None:
    plain, scaled = searched(MNIST, mnist_error, noise=0.01), searched(MNIST, mnist_error, noise=0.01, unit=1000.0)
    turned = searched(MNIST, mnist_error, noise=0.01, mode="max", unit=-1.0)
    found = told(plain).parameters
    for other in (told(scaled).parameters, told(turned).parameters):
        assert list(other) == list(found)
        for name, share in found.items():
            assert (other[name].value, other[name].low) == pytest.approx((share.value, share.low), abs=1e-6)
    rate, negative = told(plain).marginals["learning_rate"], told(turned).marginals["learning_rate"]
    assert negative.mean == pytest.approx([-mean for mean in rate.mean])
    assert all(low <= high for low, high in zip(negative.low, negative.high, strict=True))


def test_the_same_trials_give_the_same_numbers() -> None:
    sweep = searched(MNIST, mnist_error, noise=0.01, seed=5)
    first = told(sweep)
    _weigh.cache_clear()
    assert told(searched(MNIST, mnist_error, noise=0.01, seed=5)) == first


def test_noise_explains_nothing() -> None:
    heard = [
        weighed(searched(MNIST, lambda p: 0.0, num, seed=seed, noise=1.0)) for num in (14, 24, 64) for seed in range(7)
    ]
    assert sum(isinstance(found, Importance) for found in heard) <= 1
    reasons = {found.reason for found in heard if isinstance(found, Unknown)}
    assert reasons == {"cannot tell yet: what was searched does not explain the differences between trials"}


@pytest.mark.parametrize("seed", range(3))
def test_an_effect_that_can_be_seen_is_told_with_24_trials(seed: int) -> None:
    found = told(searched(MNIST, mnist_error, 24, seed=seed, noise=0.01))
    assert next(iter(found.parameters)) == "learning_rate"


def test_a_single_parameter_is_all_or_nothing() -> None:
    space = {"x1": {"low": 0.0, "high": 1.0}}
    share = told(searched(space, lambda p: p["x1"] ** 2, 24)).parameters["x1"]  # type: ignore[operator, return-value]
    assert (share.value, share.low, share.high) == (1, 1, 1)
    assert "does not explain" in silence(searched(space, lambda p: 0.0, 24, noise=1.0))


def test_why_nothing_is_told() -> None:
    assert silence(searched(MNIST, mnist_error, 9)) == "cannot tell yet: 9 trials have a result, 12 are needed"
    assert silence(searched(MNIST, lambda p: 0.5)) == "cannot tell: all trials came to the same value"
    assert silence(searched(MNIST, lambda p: None)) == "cannot tell: all trials came to the same value"
    assert silence(searched({"x1": 3}, lambda p: 0.5)) == "nothing is searched: every parameter has one value"


def test_a_diverged_trial_says_something_and_an_exploded_loss_not_everything() -> None:
    def diverges(params: Params) -> float | None:
        return None if params["learning_rate"] > 0.02 else mnist_error(params)  # type: ignore[operator]

    def explodes(params: Params) -> float:
        return 1e30 if params["x1"] > 0.97 and params["x2"] > 0.5 else additive(params)  # type: ignore[operator]

    assert next(iter(values(searched(MNIST, diverges)))) == "learning_rate"
    assert list(values(searched(UNITS, explodes, 100)))[:2] == ["x1", "x2"]
    assert values(searched(UNITS, explodes, 100))["x2"] < 0.4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("unit", [1e-300, 1e300, -1e306])
def test_no_number_is_too_large_or_too_small(unit: float) -> None:
    found = told(searched({"x1": UNITS["x1"], "x2": UNITS["x2"]}, lambda p: 1 + p["x1"], 30, unit=unit))  # type: ignore[operator, return-value]
    assert found.parameters["x1"].value > 0.9 and np.isfinite(found.marginals["x1"].mean).all()


def test_values_of_a_list_count_each() -> None:
    space = {"depth": {"low": 1, "high": 3}, "units": {"low": 0.0, "high": 1.0, "repeat": "depth"}}
    found = values(searched(space, lambda p: 3 * p["units"][0] + 0.1 * p["depth"], 80))  # type: ignore[index, operator]
    assert set(found) == {"depth", "units[0]", "units[1]", "units[2]"}
    assert found["units[0]"] > 0.8


def test_an_inactive_parameter_does_not_take_the_part_of_what_makes_it_inactive() -> None:
    space = {
        "schedule": {"choices": ["constant", "exponential"]},
        "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
        "x1": {"low": 0.0, "high": 1.0},
    }
    found = told(searched(space, lambda p: (p["schedule"] == "constant") + 0.3 * p["x1"], 80))  # type: ignore[operator]
    assert next(iter(found.parameters)) == "schedule" and found.parameters["decay_rate"].value < 0.03


def test_marginals_follow_the_objective_along_a_parameter() -> None:
    found = told(searched(MNIST, mnist_error, 120, noise=0.002))
    rate = found.marginals["learning_rate"]
    best = rate.values[int(np.argmin(rate.mean))]
    assert 1e-3 < best < 1e-2 and rate.values == sorted(rate.values)
    assert rate.mean[0] - min(rate.mean) == pytest.approx(0.05 * 1.5**2, abs=0.04)
    assert all(low <= mean <= high for low, mean, high in zip(rate.low, rate.mean, rate.high, strict=True))
    assert found.marginals["batch_size"].values == [32, 64, 128, 256]
    assert found.marginals["schedule"].values == ["constant", "exponential", "cosine"]
    surface = found.surfaces["learning_rate", "units"]
    assert np.shape(surface.mean) == (len(surface.first), len(surface.second))
    assert surface.mean[0][0] > surface.mean[len(surface.first) // 2][-1]
    assert len(found.surfaces) == 6


def test_a_conditional_parameters_marginal_is_taken_where_it_is_active() -> None:
    space = {
        "schedule": {"choices": ["constant", "exponential"]},
        "decay_rate": {"low": 0.0, "high": 1.0, "when": {"schedule": "exponential"}},
    }
    found = told(searched(space, lambda p: p.get("decay_rate", 5.0), 120))  # type: ignore[arg-type, return-value]
    decay = found.marginals["decay_rate"]
    assert decay.mean[0] == pytest.approx(0.0, abs=0.3) and decay.mean[-1] == pytest.approx(1.0, abs=0.3)


def test_trials_outside_the_current_ranges_do_not_count() -> None:
    sweep = searched(MNIST, mnist_error, 64, noise=0.005)
    sweep.spec["space"] = {**MNIST, "learning_rate": {"low": 2e-3, "high": 5e-3, "scale": "log"}}
    assert weighed(sweep).num_trials < 20
