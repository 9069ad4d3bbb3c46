"""Trials on several devices, which are logical ones of the CPU here: what no GPU has run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forks import run_forked

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HERE = Path(__file__).parent
SGD = {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.05}


def case(model: str, devices: int, trainer: str = "", epochs: int = 2, **more: Any) -> dict[str, Any]:
    params = {"learning_rate": 0.01, "batch_size": 48, "units": 12, **more.pop("params", {})}
    name = trainer or f"{model} on {devices}, {more}"
    return {"model": model, "devices": devices, "trainer": name, "params": params, "epochs": epochs, **more}


CASES = {
    "one": case("Plain", 1),
    "even": case("Plain", 2),
    "one, uneven": case("Plain", 1, params={"batch_size": 47}),
    "uneven": case("Plain", 3, params={"batch_size": 47}),
    "one, sgd": case("Plain", 1, params={**SGD, "weight_decay": 0.01}),
    "sgd": case("Plain", 2, params={**SGD, "weight_decay": 0.01}),
    "one, streamed": case("PlainStreamed", 1),
    "streamed": case("PlainStreamed", 2),
    "a rest": case("Plain", 3, params={"batch_size": 149}, epochs=1),
    "too small": case("Plain", 3, params={"batch_size": 2}),
    "straight": case("Small", 2, trainer="warm", epochs=3),
    "other": case("Small", 2, trainer="warm", params={"units": 7}),
    "broken": case("Small", 2, trainer="warm", epochs=3, **{"break": True}),
    "own step": case("Custom", 2),
    "half precision": case("Plain", 2, precision="mixed_float16"),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """What each case came to."""
    two = run([name for name, case in CASES.items() if case["devices"] < 3])
    return two | run([name for name, case in CASES.items() if case["devices"] == 3])


def run(names: list[str]) -> dict[str, Any]:
    cases = json.dumps([CASES[name] for name in names])
    told = run_forked(
        HERE / "on_devices.py", str(HERE / "models.py"), cases, environment={"CUDA_VISIBLE_DEVICES": "-1"}
    )
    return dict(zip(names, json.loads(told), strict=True))


@pytest.mark.parametrize(
    ("several", "one"), [("even", "one"), ("uneven", "one, uneven"), ("sgd", "one, sgd"), ("streamed", "one, streamed")]
)
def test_several_devices_train_as_one_does(found: dict[str, Any], several: str, one: str) -> None:
    """Up to the order in which floats are added."""
    got, expected = found[several], found[one]
    assert "error" not in got, got
    assert got["steps"] == expected["steps"] and got["metrics"].keys() == expected["metrics"].keys()
    for name, value in expected["metrics"].items():
        assert got["metrics"][name] == pytest.approx(value, rel=1e-3, abs=1e-5), name
    for mine, its in zip(got["values"], expected["values"], strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-3, atol=1e-5)


def test_a_last_step_with_fewer_examples_than_devices_is_left_out(found: dict[str, Any]) -> None:
    assert found["a rest"]["steps"] == 2  # 300 examples are 2 x 149 and 2


def test_a_batch_must_have_a_row_for_each_device(found: dict[str, Any]) -> None:
    assert found["too small"] == {"error": "ValueError: batch_size must be at least the trial's 3 GPUs, but got 2"}


def test_a_break_and_other_trials_change_nothing(found: dict[str, Any]) -> None:
    """With dropout and batch normalization, whose averages each device keeps for itself within an epoch."""
    assert found["straight"]["reusable"] and found["straight"]["traces"] == 2 and found["broken"]["traces"] == 0
    assert found["broken"]["metrics"] == found["straight"]["metrics"]
    assert found["broken"]["values"] == found["straight"]["values"]


def test_each_device_draws_its_own_masks(found: dict[str, Any]) -> None:
    [first, second] = found["straight"]["seeds"]
    assert first != second and first[1] == second[1]


@pytest.mark.parametrize("name", ["own step", "half precision"])
def test_models_with_steps_of_their_own_and_other_precisions_train(found: dict[str, Any], name: str) -> None:
    got = found[name]
    assert "error" not in got, got
    assert got["steps"] == 14 and np.isfinite(list(got["metrics"].values())).all()


@given(num_examples=st.integers(3, 400), at_most=st.integers(1, 500), count=st.integers(1, 3))
def test_no_device_is_without_examples_when_all_are_evaluated(num_examples: int, at_most: int, count: int) -> None:
    from trainables.training.replicas import Replicas

    class Some(Replicas):
        def __init__(self) -> None: ...

        count = property(lambda self: count)  # type: ignore[assignment]

    size = Some().evaluation_batch(num_examples, at_most)
    rest = num_examples % size
    assert min(size, num_examples) >= count and (rest == 0 or rest >= count)
    if count == 1:
        assert size == at_most
