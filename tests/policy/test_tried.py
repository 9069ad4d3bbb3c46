"""What earlier trials tried is not tried again, and a sweep that begins with them draws otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.simulation import SPACE, make_spec
from tuner.engine.endings import finished_text
from tuner.policy import EarlierTrial, Policy
from tuner.policy.tried import Tried
from tuner.spec.space import Params, Space, key

FEW: dict[str, Any] = {"units": {"choices": [8, 16, 32]}, "layers": {"choices": [[1], [2]]}, "learning_rate": 0.1}


def earlier(configurations: Iterable[Params], **fields: Any) -> list[EarlierTrial]:
    return [
        EarlierTrial("before", str(number), params, 9, 9, 0.1 + number / 100, False, **fields)
        for number, params in enumerate(configurations)
    ]


def suggested(policy: Policy) -> list[Params]:
    found = []
    while suggestion := policy.ask():
        policy.tell(suggestion.trial, 27, 0.5)
        found.append(suggestion.params)
    return found


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
@pytest.mark.parametrize("num_earlier", [1, 4, 9, 30])
def test_a_sweep_with_the_seed_and_space_of_an_earlier_one_draws_otherwise(algorithm: str, num_earlier: int) -> None:
    spec = make_spec(num_trials=num_earlier, search__algorithm=algorithm)
    before = suggested(Policy(spec.search_settings))
    policy = Policy(make_spec(num_trials=40, search__algorithm=algorithm).search_settings)
    policy.learn(earlier(before))
    after = suggested(policy)
    assert len(after) == 40 and not {key(params) for params in before} & {key(params) for params in after}


def test_which_earlier_trials_there_are_decides_the_draws() -> None:
    before = suggested(Policy(make_spec(num_trials=6).search_settings))
    first = []
    for known in (before[:5], before[:6], before[:6]):
        policy = Policy(make_spec().search_settings)
        policy.learn(earlier(known))
        first.append(policy.ask())
    assert first[0] != first[1] == first[2]


@pytest.mark.parametrize("algorithm", ["tpe", "random", "grid"])
def test_of_a_small_space_only_what_is_left_is_tried(algorithm: str) -> None:
    spec = make_spec(space=FEW, search__algorithm=algorithm)
    every = list(spec.space.grid())
    policy = Policy(spec.search_settings)
    policy.learn(earlier({n: v for n, v in params.items() if n != "learning_rate"} for params in every[1::2]))
    assert not policy.is_used_up
    assert sorted(map(key, suggested(policy))) == sorted(map(key, every[::2]))
    assert policy.exhausted
    assert finished_text(30, 3, 6, policy.num_earlier).endswith("all of them were tried, here or in earlier trials")


def test_a_space_that_is_used_up_is_known_before_the_first_trial() -> None:
    spec = make_spec(space=FEW)
    policy = Policy(spec.search_settings)
    policy.learn(earlier(spec.space.grid()))
    assert policy.is_used_up and policy.ask() is None
    wanted = Policy(make_spec(space=FEW, search__points=[{"units": 8, "layers": [1]}]).search_settings)
    wanted.learn(earlier(spec.space.grid()))
    assert not wanted.is_used_up and [params["units"] for params in suggested(wanted)] == [8]


def test_with_other_constants_it_is_another_configuration() -> None:
    policy = Policy(make_spec(space=FEW).search_settings)
    policy.learn(earlier(make_spec(space=FEW).space.grid(), same_constants=False))
    assert not policy.is_used_up and len(suggested(policy)) == 6


def test_numbers_are_the_same_within_the_digits_that_were_recorded() -> None:
    space = Space.model_validate({"rate": {"low": 0.0, "high": 1.0}, "kind": {"choices": ["a", "b"]}})
    tried = Tried(space)
    tried.add({"rate": 0.0123456, "kind": "a"})
    tried.add({"rate": 0.5, "kind": "b"})
    assert {"rate": 0.01234563, "kind": "a"} in tried and {"rate": 0.0123456, "kind": "a"} in tried
    assert {"rate": 0.01234567, "kind": "a"} not in tried and {"rate": 0.0123456, "kind": "b"} not in tried
    assert {"rate": 0.50004, "kind": "b"} in tried and {"rate": 0.5002, "kind": "b"} not in tried


def test_choices_are_compared_as_they_are() -> None:
    space = Space.model_validate({"rate": {"choices": [0.1, 0.100001, 1, True]}, "by": {"low": 1, "high": 9}})
    tried = Tried(space)
    tried.add({"rate": 0.1, "by": 3})
    tried.add({"rate": True, "by": 3})
    assert {"rate": 0.100001, "by": 3} not in tried and {"rate": 1, "by": 3} not in tried
    assert {"rate": 0.1, "by": 3} in tried


def test_without_earlier_trials_nothing_has_changed() -> None:
    assert make_spec().space == Space.model_validate(SPACE)
    one, other = Policy(make_spec().search_settings), Policy(make_spec().search_settings)
    other.learn([])
    assert suggested(one) == suggested(other)
