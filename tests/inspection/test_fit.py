"""A spec's space against a trainable's parameters and data: pure rules."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.simulation import make_spec
from trainables.contract import Params
from tuner.inspection.fit import batch_size_problems, metric_problems, param_problems, unknown_name_problems


class Known(Params):
    width: int
    layers: int = Field(2, ge=1, le=8)
    dropout: float = Field(0.0, ge=0, lt=1)
    activation: Literal["relu", "tanh"] = "relu"
    nesterov: bool = False


def problems(**space: Any) -> list[str]:
    return param_problems(make_spec(epochs__max=27, space={**space, "width": space.get("width", 8)}), Known)


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ({"layers": {"low": 1, "high": 8}, "dropout": 0, "activation": {"choices": ["relu", "tanh"]}}, []),
        ({"epochs": {"choices": [9, 27, 28]}}, [
            "space.epochs.choices[2]: must not be above epochs.max (27), but got 28",
        ]),
        ({"epochs": {"low": 28, "high": 30}}, [
            "space.epochs.low: must not be above epochs.max (27), but got 28",
            "space.epochs.high: must not be above epochs.max (27), but got 30",
        ]),
        ({"layers": {"low": 0, "high": 9}}, [
            "space.layers.low: must be at least 1, but got 0", "space.layers.high: must be at most 8, but got 9",
        ]),
        ({"layers": {"low": 1.0, "high": 2.5}}, [
            "space.layers.low: must be a whole number, but got 1.0",
            "space.layers.high: must be a whole number, but got 2.5",
        ]),
        ({"dropout": {"low": -0.5, "high": 1.0}}, [
            "space.dropout.low: must be at least 0, but got -0.5", "space.dropout.high: must be less than 1, but got 1",
        ]),
        ({"dropout": "a half"}, ["space.dropout: must be a number, but got 'a half'"]),
        ({"nesterov": "true"}, [
            "space.nesterov: must be true or false, but got 'true'; it is text: write true without quotes"
        ]),
        ({"activation": {"choices": ["relu", "tahn", 3]}}, [
            "space.activation.choices[1]: must be 'relu' or 'tanh', but got 'tahn'; did you mean 'tanh'?",
            "space.activation.choices[2]: must be 'relu' or 'tanh', but got 3",
        ]),
        ({"dropuot": 0.5, "layers": 9}, [
            "space.dropuot: the trainable has no such parameter; did you mean 'dropout'?",
            "space.layers: must be at most 8, but got 9",
        ]),
        ({"layers": {"choices": [1, 2]}, "learning_rate": {"value": 0.1, "when": {"layers": 1}}}, [
            "space.learning_rate.when: every trial needs a value of learning_rate, so it must have no condition",
        ]),
        ({"layers": {"choices": [1, 2]}, "dropout": {"value": 0.1, "when": {"layers": 1}}}, []),
    ],
)  # fmt: skip
def test_what_the_trainable_refuses_is_told_at_its_place(space: dict[str, Any], found: list[str]) -> None:
    assert problems(**space) == found


def test_a_parameter_without_a_default_is_required_in_every_trial() -> None:
    [missing] = param_problems(make_spec(space={"layers": 2}), Known)
    assert missing == "space.width: the trainable has no default for it, so it is required, but is missing"
    [condition] = problems(layers={"choices": [1, 2]}, width={"value": 8, "when": {"layers": 1}})
    assert condition == "space.width.when: every trial needs a value of width, so it must have no condition"


def test_a_batch_may_be_the_whole_training_set_and_no_more() -> None:
    spec = make_spec(space={"batch_size": {"choices": [32, 64, 65]}})
    rule = "must not be above the training set's 64 examples"
    assert batch_size_problems(spec, 64) == [f"space.batch_size.choices[2]: {rule}, but got 65"]
    assert batch_size_problems(spec, None) == batch_size_problems(make_spec(space={"layers": 2}), 1) == []


def test_an_objective_is_one_of_the_metrics() -> None:
    assert metric_problems(make_spec(), ["loss", "val_accuracy"]) == []
    [problem] = metric_problems(make_spec(objective__metric="val_acuracy"), ["loss", "val_accuracy"])
    assert problem.endswith("but got 'val_acuracy'; did you mean 'val_accuracy'?")


class Listed(Params):
    units: list[int] = Field(default_factory=list)
    depth_max: int = 3


@pytest.mark.parametrize(
    ("counter", "found"),
    [
        ("depth", []),
        ("depht_max", ["space.depht_max: the trainable has no such parameter; did you mean 'depth_max'?"]),
    ],
)
def test_a_length_need_be_no_parameter_of_the_trainable(counter: str, found: list[str]) -> None:
    units = {"low": 4, "high": 9, "repeat": counter}
    assert param_problems(make_spec(space={counter: {"low": 1, "high": 3}, "units": units}), Listed) == found


class WithoutBatches(BaseModel):
    lr: float = 0.1
    units: int = 8


def test_conditions_and_points_name_what_the_trainable_has() -> None:
    space = {"lr": {"low": 0.1, "high": 0.5}, "units": 8}
    points = [{"learning_rate": 0.2, "lr": 0.2}]
    spec = make_spec(space=space, feasible="batch_size * units < 512", search__points=points)
    assert unknown_name_problems(spec, WithoutBatches) == [  # type: ignore[arg-type]
        "feasible: must name parameters of the space, but got 'batch_size'; known: lr, units",
        "search.points[0].learning_rate: the trainable has no such parameter; known: lr, units",
    ]
    assert unknown_name_problems(make_spec(feasible="batch_size * learning_rate < 5"), Known) == []
    renamed = make_spec(space={"width": 8, **space}, feasible="learning_rate < 5", records={"learning_rate": "lr"})
    assert len(unknown_name_problems(renamed, Known)) == 1
