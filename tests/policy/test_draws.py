"""What is suggested without a model: points first, a grid in order, and nothing twice while others are left."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulation import make_spec, run_one_by_one, trials_of
from tuner.policy import Policy
from tuner.policy.draws import Draws
from tuner.spec.space import Space, key


@pytest.mark.parametrize("algorithm", ["tpe", "random", "grid"])
def test_a_small_space_is_searched_without_repeats_and_ends_early(algorithm: str) -> None:
    space = {"units": {"low": 1, "high": 3}, "activation": {"choices": ["relu", "tanh"]}, "learning_rate": 0.1}
    policy = Policy(make_spec(space=space, num_trials=50, search={"algorithm": algorithm}).search_settings)
    ended = run_one_by_one(policy, lambda params, epoch: params["units"] / epoch)
    assert len(ended) == 6 and policy.exhausted
    assert len({key(observed.params) for observed in trials_of(policy)}) == 6


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_nothing_is_drawn_twice_where_all_that_is_left_lies_under_one_choice_of_many(algorithm: str) -> None:
    space = {"arch": {"choices": [f"a{n}" for n in range(20)]}, "x": {"low": 0.0, "high": 1.0, "when": {"arch": "a0"}}}
    policy, keys = Policy(make_spec(space=space, num_trials=200, search__algorithm=algorithm).search_settings), set()
    while suggestion := policy.ask():
        keys.add(key(suggestion.params))
        policy.tell(suggestion.trial, 1, suggestion.trial % 7)
    assert len(keys) == 200 and not policy.exhausted


def test_a_grids_next_configuration_can_be_looked_at() -> None:
    policy = Policy(make_spec(space={"units": {"choices": [8, 16, 32]}}, search__algorithm="grid").search_settings)
    for units in (8, 16, 32):
        assert policy.propose() == policy.propose() == policy.ask()
        assert policy.observed(policy.num_suggested - 1).params == {"units": units}
    assert policy.propose() is policy.ask() is None


@pytest.mark.parametrize("algorithm", ["tpe", "random", "grid"])
def test_points_come_first_in_their_order_and_never_again(algorithm: str) -> None:
    space = {"units": {"low": 1, "high": 3}, "activation": {"choices": ["relu", "tanh"]}, "learning_rate": 0.1}
    points = [{"units": 3, "activation": "tanh"}, {"units": 1, "activation": "tanh", "learning_rate": 0.1}]
    search = {"algorithm": algorithm, "points": points}
    policy = Policy(make_spec(space=space, num_trials=50, search=search).search_settings)
    first, second, third = (policy.ask() for _ in range(3))
    assert first and second and third
    assert first.params == {**points[0], "learning_rate": 0.1}
    assert second.params == points[1]
    assert (first.origin, second.origin) == ("point", "point") and third.origin != "point"
    run_one_by_one(policy)
    assert policy.exhausted and len({key(observed.params) for observed in trials_of(policy)}) == 6


def test_points_outside_of_a_space_that_was_narrowed_are_passed_over() -> None:
    points = [{"learning_rate": 0.05}, {"learning_rate": 0.002}]
    spec = make_spec(space={"learning_rate": {"low": 1e-3, "high": 1e-2}}, search={"points": points}, num_trials=3)
    origins = [suggestion.origin for suggestion in iter(Policy(spec.search_settings).ask, None)]
    assert origins == ["point", "random", "random"]


def test_a_space_of_constants_is_one_trial() -> None:
    policy = Policy(make_spec(space={"learning_rate": 0.01}).search_settings)
    assert len(run_one_by_one(policy)) == 1 and policy.exhausted


def test_a_continuum_that_has_run_out_of_numbers_is_drawn_from_again() -> None:
    draws = Draws(Space.model_validate({"x": {"low": 1.0, "high": float(np.nextafter(1.0, 2.0))}}), [])
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        params = draws.independent(rng)
        assert params is not None
        draws.add(params)
        found.append(params["x"])
    assert len(set(found[:2])) == 2 and found[2] in found[:2]
