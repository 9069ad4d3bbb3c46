"""Parameters that the chosen optimizer or schedule lacks, and values that do not go together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from trainables.contract import Params
from tuner.inspection.configurations import draws
from tuner.inspection.takers import mismatches, taker_warnings

RATE = {"low": 0.1, "high": 0.9}
TWO = {"choices": ["sgd", "adam"]}
SCHEDULES = {"choices": ["constant", "exponential", "cosine"]}


class Own(Params):
    rho: float = 5.0
    epsilon: str = "of its own"


def lines_of(space: dict[str, Any], known: type[Any] = Params, read: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    spec = make_spec(space={"learning_rate": {"low": 0.01, "high": 0.1}, "batch_size": 8, **space})
    return mismatches(spec, known, draws(spec), read)


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ({"momentum": 0.9}, "space.momentum: adam has no momentum; only sgd and rmsprop have it"),
        ({"momentum": RATE}, "space.momentum: adam has no momentum; only sgd and rmsprop have it"),
        ({"momentum": 0.9, "optimizer": "adam"}, "space.momentum: adam has no momentum"),
        (
            {"optimizer": "sgd", "beta_1": 0.8},
            "space.beta_1: sgd has no beta_1; only adam, adamw, nadam",
        ),
        ({"optimizer": "adamax", "amsgrad": True}, "space.amsgrad: adamax has no amsgrad"),
        ({"optimizer": "rmsprop", "nesterov": True}, "space.nesterov: rmsprop has no nesterov; only sgd has it"),
        ({"optimizer": {"choices": ["lion", "nadam"]}, "rho": RATE}, "space.rho: lion and nadam have no rho"),
        (
            {"optimizer": TWO, "momentum": {**RATE, "when": {"optimizer": "adam"}}},
            "space.momentum.when.optimizer: adam has no momentum",
        ),
        (
            {"optimizer": TWO, "momentum": {**RATE, "when": {"optimizer": ["sgd", "adam"]}}},
            "space.momentum.when.optimizer: adam has no momentum",
        ),
        (
            {"schedule": "cosine", "decay_rate": 0.3},
            "space.decay_rate: cosine has no decay_rate; only exponential, step and inverse_time have it: leave it out,"
            " or choose another schedule",
        ),
        ({"decay_steps": 100}, "space.decay_steps: constant has no decay_steps; only exponential, polynomial and"),
        ({"schedule": "exponential", "milestones": {"value": [3, 5]}}, "space.milestones: exponential has no"),
        (
            {"schedule": {"choices": ["cosine", "step"]}, "plateau_patience": 3},
            "space.plateau_patience: cosine and step",
        ),
        (
            {"schedule": SCHEDULES, "alpha": {"value": 0.1, "when": {"schedule": "exponential"}}},
            "space.alpha.when.schedule: exponential has no alpha; only cosine and cosine_restarts have it",
        ),
        (
            {"schedule": SCHEDULES, "decay_rate": {**RATE, "when": {"schedule": ["exponential", "cosine"]}}},
            "space.decay_rate.when.schedule: cosine has no decay_rate",
        ),
        ({"ema_momentum": 0.5}, "space.ema_momentum: has an effect with use_ema only: leave it out, or add use_ema"),
        ({"clipnorm": 1.0, "clipvalue": 0.5}, "space: only one of clipnorm, global_clipnorm, clipvalue may be given"),
    ],
)
def test_what_no_chosen_optimizer_takes_is_an_error(space: dict[str, Any], line: str) -> None:
    [found] = lines_of(space)
    assert found.startswith(line)


@pytest.mark.parametrize(
    "space",
    [
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
        {"optimizer": TWO, "momentum": {**RATE, "when": {"optimizer": "sgd"}}},
        {"optimizer": TWO, "momentum": RATE},
        {"momentum": 0.0, "nesterov": False},
        {"optimizer": "adagrad", "initial_accumulator_value": 0.5, "epsilon": 1e-5, "clipnorm": 1.0},
        {"optimizer": "adafactor", "epsilon_1": 1e-20, "clip_threshold": RATE},
        {"schedule": "exponential", "decay_rate": 0.3, "decay_steps": 100, "staircase": True, "warmup_epochs": 1},
        {"schedule": SCHEDULES, "decay_rate": {**RATE, "when": {"schedule": "exponential"}}, "decay_steps": 100},
        {"schedule": "cosine", "decay_rate": 0.5, "decay_steps": 1000, "staircase": False},
        {"schedule": "cosine", "decay_steps": {"low": 1, "high": 9}},
        {"use_ema": True, "ema_momentum": 0.5},
        {"use_ema": {"choices": [True, False]}, "ema_momentum": 0.5},
    ],
)
def test_what_a_chosen_optimizer_takes_is_none(space: dict[str, Any]) -> None:
    assert not lines_of(space)


def test_what_the_trainable_reads_or_has_for_itself_is_none() -> None:
    assert not lines_of({"momentum": 0.9, "alpha": 0.3}, read={"momentum", "alpha"})
    assert not lines_of({"rho": 7.0, "epsilon": "mine"}, Own)
    assert Own().rho == 5.0


def test_what_has_no_effect_in_some_trials_is_told() -> None:
    spec = make_spec(space={"optimizer": {"choices": ["sgd", "adam", "rmsprop"]}, "momentum": RATE, "batch_size": 8})
    [line] = taker_warnings(spec, Params, draws(spec))
    assert line == (
        "space.momentum: adam has no momentum, so it has no effect there; add when: {optimizer: [rmsprop, sgd]}"
    )
    spec = make_spec(space={"schedule": SCHEDULES, "decay_steps": 100, "decay_rate": RATE, "batch_size": 8})
    assert taker_warnings(spec, Params, draws(spec)) == [
        "space.decay_steps: constant and cosine have no decay_steps, so it has no effect there; write {value: 100,"
        " when: {schedule: exponential}}",
        "space.decay_rate: constant and cosine have no decay_rate, so it has no effect there; add when: {schedule:"
        " exponential}",
    ]
    spec = make_spec(space={"optimizer": {"choices": ["sgd", "adadelta"]}, "batch_size": 8})
    assert [line.partition(" for")[0] for line in taker_warnings(spec, Own, draws(spec))] == [
        "trainable: its Params have epsilon",
        "trainable: its Params have rho",
    ]
