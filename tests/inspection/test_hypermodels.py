"""A KerasTuner model's spec: its conditions may name what only the model asks for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation import make_spec
from trainables.contract import TrainingParams
from trainables.kerastuner.spaces import FoundSpace
from tuner.inspection.fit import unknown_name_problems
from tuner.inspection.hypermodels import completed
from tuner.spec import SweepSpec, spec_from_mapping

FOUND = {"units": {"low": 16, "high": 64}, "depth": {"low": 1, "high": 4}, "kind": {"choices": ["a", "b"]}}


def whole(feasible: Any, trainable: str = "model.py:build") -> tuple[list[str], SweepSpec]:
    """What is wrong with a spec that names one of the model's hyperparameters, and the spec with all of them."""
    spec = make_spec(trainable=trainable, space={"depth": {"low": 1, "high": 3}}, feasible=feasible)
    model: Any = SimpleNamespace(found_space=lambda data: FoundSpace(parameters=FOUND, notes=[]))
    found = completed(spec, model, None)
    return found.problems or unknown_name_problems(found.spec, TrainingParams), found.spec


@pytest.mark.parametrize("feasible", ["units * depth <= 100", ["units >= 20", "depth < 3"], "batch_size < 64"])
def test_conditions_name_what_the_model_or_the_spec_has(feasible: Any) -> None:
    problems, spec = whole(feasible)
    assert problems == []
    assert spec_from_mapping(spec.resolved()).feasible == spec.feasible  # as a journal keeps it


@pytest.mark.parametrize(
    ("feasible", "problem"),
    [
        ("unit * depth <= 100", "feasible: must name parameters of the space, but got 'unit'; did you mean 'units'?"),
        ("units > 64", "feasible: must hold for any of"),
        ("units - kind > 2", "feasible: must have a value for every configuration, but with units"),
    ],
)
def test_a_condition_that_names_or_meets_nothing_is_refused(feasible: str, problem: str) -> None:
    [found] = whole(feasible)[0]
    assert found.startswith(problem)


def test_a_shipped_trainable_has_no_more_than_its_spec_says() -> None:
    with pytest.raises(Exception, match="feasible: must name parameters of the space, but got 'units'"):
        whole("units > 3", "digits")
