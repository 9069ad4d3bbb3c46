"""Which configurations are tried before a sweep, and which training parameters no configuration uses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from trainables.contract import Params
from tuner.inspection.configurations import configurations, draws, effect_lines, idle_training_params, questions
from tuner.spec import SweepSpec

UNITS = {"low": 4, "high": 64}
RATE = {"low": 0.1, "high": 0.9}


class Own(Params):
    units: int = 4
    depth: int = 1
    kind: str = "dense"


def spec_of(**space: Any) -> SweepSpec:
    return make_spec(space={"learning_rate": {"low": 0.01, "high": 0.1}, "batch_size": 8, **space})


def test_one_configuration_is_enough_where_nothing_chooses_between_models() -> None:
    spec = spec_of(momentum=RATE)
    assert len(configurations(spec, draws(spec))) == 1


def test_the_second_configuration_is_unlike_the_first_in_all_that_decides_the_model() -> None:
    spec = spec_of(kind={"choices": ["dense", "conv"]}, depth={"low": 1, "high": 3}, units=UNITS)
    first, second = configurations(spec, draws(spec))
    assert all(first[name] != second[name] for name in ("kind", "depth", "units"))
    assert first["epochs"] == spec.epochs.max


def test_each_parameter_is_asked_where_it_is_active() -> None:
    width = {**UNITS, "when": {"kind": "dense"}}
    spec = spec_of(kind={"choices": ["dense", "conv"]}, units=width, depth=2)
    found = {question.name: question for question in questions(spec, draws(spec), ["kind", "units", "depth"])}
    assert set(found) == {"kind", "units"}  # a constant has one value
    assert found["units"].values == [4, 64] and found["kind"].values == ["dense", "conv"]
    assert all(base["kind"] == "dense" for base in found["units"].bases)
    assert {base["kind"] for base in found["kind"].bases} == {"dense", "conv"} or len(found["kind"].bases) == 1


@pytest.mark.parametrize(
    ("space", "read", "idle"),
    [
        ({"decay_rate": RATE}, {"decay_rate"}, {}),
        (
            {"decay_rate": RATE},
            set(),
            {"decay_rate": "only exponential and step and inverse_time take it, but schedule is always constant"},
        ),
        ({"ema_momentum": RATE}, set(), {"ema_momentum": "only true takes it, but use_ema is always false"}),
        ({"ema_momentum": RATE, "use_ema": True}, set(), {}),
        (
            {"schedule": "cosine", "decay_steps": {"low": 1, "high": 9}},
            set(),
            {"decay_steps": "schedule is always cos"},
        ),
        ({"schedule": {"choices": ["constant", "exponential"]}, "decay_rate": RATE}, set(), {}),
        (
            {"optimizer": {"choices": ["adam", "adamw"]}, "weight_decay": RATE},
            set(),
            {"optimizer": "adam and adamw are the same"},
        ),
        ({"optimizer": {"choices": ["adam", "adamw"]}}, set(), {}),  # whose weight decays by default
        ({"optimizer": {"choices": ["adam", "adamw", "sgd"]}, "weight_decay": RATE}, set(), {}),
        ({"momentum": 0.9}, set(), {}),
    ],
)
def test_training_parameters_that_nothing_takes_are_idle(
    space: dict[str, Any], read: set[str], idle: dict[str, str]
) -> None:
    spec = spec_of(**space)
    found = idle_training_params(spec, Own, draws(spec), read)
    assert set(found) == set(idle) and all(idle[name] in why for name, why in found.items())
    assert all(
        line.startswith(f"space.{name}: has no effect: ") for name, line in zip(found, effect_lines(found), strict=True)
    )


def test_a_list_is_asked_with_as_many_values_as_its_configuration_has_and_its_counter_is_not() -> None:
    space = {"depth": {"low": 1, "high": 3}, "units": {"low": 4, "high": 9, "repeat": "depth"}}
    spec = make_spec(space=space)
    asked = questions(spec, draws(spec), ["depth", "units"])
    assert [question.name for question in asked] == ["units"]
    lengths = {len(value) for value in asked[0].values} | {base["depth"] for base in asked[0].bases}
    assert lengths == {asked[0].bases[0]["depth"]} and len(asked[0].values) == 2
