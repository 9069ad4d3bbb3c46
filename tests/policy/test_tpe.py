"""What the model suggests: near the good trials, away from the bad ones, and everywhere now and then."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.simulation import make_spec, run_one_by_one, trials_of
from tuner.policy import Policy
from tuner.policy.tpe import Split


@pytest.mark.parametrize("parameter", ["x", "kind"])
@pytest.mark.parametrize("broadly", [False, True])
def test_fewer_are_suggested_where_trials_came_to_bad_ends(parameter: str, broadly: bool) -> None:
    """The best lie right beside what diverges: x above 0.8, or one of four kinds."""

    def diverges(params: Any) -> bool:
        return bool(params["x"] > 0.8 if parameter == "x" else params["kind"] == "d")

    space = {"x": {"low": 0.0, "high": 1.0}, "kind": {"choices": ["a", "b", "c", "d"]}}
    policy = Policy(
        make_spec(space=space, objective__mode="min", num_trials=80, search__algorithm="random").search_settings
    )
    run_one_by_one(policy, lambda params, epoch: math.nan if diverges(params) else (params["x"] - 0.75) ** 2)
    split = policy._split()
    blind = replace(split, bad=[], others=[number for number in split.others if number not in split.bad])

    def share(split: Split) -> float:
        found = [policy._tpe.suggest(split, np.random.default_rng(s), broadly=broadly) for s in range(300)]
        return sum(map(diverges, found)) / len(found)

    assert len(split.bad) == policy._observed.num_bad > 5
    assert share(split) < 0.5 * share(blind)


def test_tpe_finds_the_good_region_more_often_than_chance() -> None:
    def median_distance(algorithm: str) -> float:
        distances = []
        for seed in range(5):
            policy = Policy(make_spec(num_trials=60, search={"algorithm": algorithm, "seed": seed}).search_settings)
            run_one_by_one(policy)
            late = [observed.params["learning_rate"] for observed in trials_of(policy)[30:]]
            distances += [abs(math.log10(float(rate)) + 2.3) for rate in late]  # type: ignore[arg-type]
        return float(np.median(distances))

    assert median_distance("tpe") < 0.85 * median_distance("random")


def test_broad_suggestions_lean_towards_the_good_region_and_still_reach_everywhere() -> None:
    policy = Policy(make_spec(num_trials=60).search_settings)
    run_one_by_one(policy)
    split = policy._split()

    def rates(broadly: bool) -> np.ndarray:  # type: ignore[type-arg]
        tpe, seeds = policy._tpe, range(300)
        found = [tpe.suggest(split, np.random.default_rng(seed), broadly=broadly) for seed in seeds]
        return np.array([math.log10(float(params["learning_rate"])) for params in found])  # type: ignore[arg-type]

    drawn = [policy.space.sample(np.random.default_rng(seed))["learning_rate"] for seed in range(300)]
    chance = np.log10(np.array(drawn, float))
    near, broad = np.abs(rates(False) + 2.3), np.abs(rates(True) + 2.3)
    assert np.median(near) < np.median(broad) < np.median(np.abs(chance + 2.3))
    assert np.ptp(rates(True)) > 0.8 * np.ptp(chance)
