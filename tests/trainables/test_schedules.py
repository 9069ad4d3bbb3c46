"""Schedules against Keras's own and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trainables.contract import Params
from trainables.settings import SCHEDULE_PARAMS

pytestmark = pytest.mark.slow

STEPS_PER_EPOCH = 10
STEPS = np.arange(0, 130)


def rates(**params: Any) -> Any:
    """The rate at each of STEPS in a training of 10 epochs of 10 steps."""
    import tensorflow as tf

    from trainables.schedules import VariableSchedule

    schedule = VariableSchedule()
    schedule.set(Params(epochs=10, **params), STEPS_PER_EPOCH)
    values = schedule(tf.constant(STEPS)).numpy()
    assert values == pytest.approx([float(schedule(step)) for step in STEPS], rel=1e-5, abs=1e-8)
    return values


def test_constant_is_the_learning_rate() -> None:
    assert rates(learning_rate=0.02) == pytest.approx(np.full(len(STEPS), 0.02))


@pytest.mark.parametrize("staircase", [False, True])
def test_exponential_equals_keras(staircase: bool) -> None:
    import keras

    expected = keras.optimizers.schedules.ExponentialDecay(0.1, 7, 0.6, staircase=staircase)
    found = rates(learning_rate=0.1, schedule="exponential", decay_rate=0.6, decay_steps=7, staircase=staircase)
    assert found == pytest.approx([float(expected(step)) for step in STEPS], rel=1e-6)


def test_exponential_equals_its_closed_form() -> None:
    k = -math.log(0.5) / 20
    found = rates(learning_rate=0.1, schedule="exponential", decay_rate=0.5, decay_steps=20)
    assert found == pytest.approx(0.1 * np.exp(-k * STEPS), rel=1e-5)


def test_staircase_falls_exactly_at_multiples_of_decay_steps() -> None:
    found = rates(learning_rate=1.0, schedule="exponential", decay_rate=0.5, decay_steps=10, staircase=True)
    assert found[[9, 10, 19, 20]].tolist() == [1.0, 0.5, 0.5, 0.25]


def test_cosine_equals_keras() -> None:
    import keras

    expected = keras.optimizers.schedules.CosineDecay(0.1, 10 * STEPS_PER_EPOCH)
    found = rates(learning_rate=0.1, schedule="cosine")
    assert found == pytest.approx([float(expected(step)) for step in STEPS], abs=1e-7)


@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine"])
def test_warm_up_is_linear_and_the_schedule_counts_from_its_end(schedule: str) -> None:
    decay = {"decay_rate": 0.5, "decay_steps": 20}
    found = rates(learning_rate=0.1, schedule=schedule, warmup_epochs=2.5, **decay)
    assert found[:26] == pytest.approx(0.1 * STEPS[:26] / 25, abs=1e-8)
    after = STEPS[25:100] - 25
    expected = {
        "constant": np.full(75, 0.1),
        "exponential": 0.1 * 0.5 ** (after / 20),
        "cosine": 0.05 * (1 + np.cos(math.pi * after / 75)),
    }
    assert found[25:100] == pytest.approx(expected[schedule], abs=1e-7)


KERAS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"schedule": "exponential", "decay_rate": 0.7, "decay_steps": 9}, "ExponentialDecay", {}),
    ({"schedule": "exponential", "decay_rate": 0.7, "decay_steps": 9, "staircase": True}, "ExponentialDecay", {}),
    ({"schedule": "inverse_time", "decay_rate": 0.7, "decay_steps": 9}, "InverseTimeDecay", {}),
    ({"schedule": "inverse_time", "decay_rate": 0.7, "decay_steps": 9, "staircase": True}, "InverseTimeDecay", {}),
    ({"schedule": "polynomial", "decay_steps": 60}, "PolynomialDecay", {}),
    ({"schedule": "polynomial"}, "PolynomialDecay", {"decay_steps": 100}),
    (
        {"schedule": "polynomial", "decay_steps": 25, "end_learning_rate": 0.02, "power": 2.0, "cycle": True},
        "PolynomialDecay",
        {},
    ),
    ({"schedule": "polynomial", "decay_steps": 25, "end_learning_rate": 0.02, "power": 0.5}, "PolynomialDecay", {}),
    ({"schedule": "cosine"}, "CosineDecay", {"decay_steps": 100}),
    ({"schedule": "cosine", "alpha": 0.1}, "CosineDecay", {"decay_steps": 100}),
    ({"schedule": "cosine_restarts", "first_decay_steps": 12}, "CosineDecayRestarts", {}),
    (
        {"schedule": "cosine_restarts", "first_decay_steps": 12, "t_mul": 1.0, "m_mul": 0.8, "alpha": 0.05},
        "CosineDecayRestarts",
        {},
    ),
    ({"schedule": "cosine_restarts", "first_decay_steps": 7, "t_mul": 1.5, "m_mul": 0.9}, "CosineDecayRestarts", {}),
    (
        {"schedule": "step", "milestones": [6.5, 3]},
        "PiecewiseConstantDecay",
        {"boundaries": [29, 64], "values": [0.1, 0.05, 0.025]},
    ),
    (
        {"schedule": "step", "milestones": [3, 6.5], "milestone_factors": [0.2, 3]},
        "PiecewiseConstantDecay",
        {"boundaries": [29, 64], "values": [0.1, 0.1 * 0.2, 0.1 * 0.2 * 3]},
    ),
]


@pytest.mark.parametrize(("params", "name", "options"), KERAS)
def test_every_step_is_keras_own(params: dict[str, Any], name: str, options: dict[str, Any]) -> None:
    import keras

    given = {} if name == "PiecewiseConstantDecay" else {"initial_learning_rate": 0.1}
    given |= {key: value for key, value in params.items() if key != "schedule"} if given else {}
    expected = getattr(keras.optimizers.schedules, name)(**{**given, **options})
    found = rates(learning_rate=0.1, **params)
    assert found.dtype == np.float32
    assert found == pytest.approx([float(expected(step)) for step in STEPS], rel=1e-5, abs=2e-8)


def test_a_warm_up_in_front_is_keras_own() -> None:
    import keras

    expected = keras.optimizers.schedules.CosineDecay(0.0, 75, 0.1, warmup_target=0.1, warmup_steps=25)
    found = rates(learning_rate=0.1, schedule="cosine", alpha=0.1, warmup_epochs=2.5)
    assert found == pytest.approx([float(expected(step)) for step in STEPS], rel=1e-6, abs=1e-8)


def test_restarts_fill_the_training_with_three_periods() -> None:
    found = rates(learning_rate=0.1, schedule="cosine_restarts", t_mul=1.5)
    rises = np.flatnonzero(np.diff(found[:100]) > 0)
    assert len(rises) == 2 and found[99] < 0.001 and found[100] > 0.09


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_almost_nothing() -> None:
    found = rates(learning_rate=0.1, schedule="one_cycle")
    assert found[[0, 29, 99, 120]] == pytest.approx([0.004, 0.1, 4e-7, 4e-7], rel=1e-4)
    assert (np.diff(found[:30]) > 0).all() and (np.diff(found[29:100]) < 0).all()
    middle = rates(learning_rate=0.1, schedule="one_cycle", pct_start=0.21, div_factor=10, final_div_factor=100)
    assert middle[[0, 10, 20, 99]] == pytest.approx([0.01, 0.055, 0.1, 0.0001], rel=1e-4)


def test_a_warm_up_ends_at_the_first_rate_of_one_cycle() -> None:
    found = rates(learning_rate=0.1, schedule="one_cycle", warmup_epochs=2)
    assert found[[0, 10, 20]] == pytest.approx([0, 0.002, 0.004])


def test_kinds_and_numbers_are_variables_of_one_graph() -> None:
    import tensorflow as tf

    from trainables.schedules import VariableSchedule

    schedule, traces = VariableSchedule(), []

    @tf.function  # type: ignore[untyped-decorator]
    def rate(step: Any) -> Any:
        traces.append(1)
        return schedule(step)

    for params, _, _ in KERAS:
        valid = Params(epochs=10, learning_rate=0.1, warmup_epochs=0.5, **params)
        schedule.set(valid, STEPS_PER_EPOCH)
        found = [float(rate(tf.constant(step, tf.int64))) for step in (0, 3, 40)]
        assert found == pytest.approx([float(schedule(step)) for step in (0, 3, 40)], rel=1e-6)
    schedule.set(Params(schedule="plateau", learning_rate=0.1), STEPS_PER_EPOCH)
    schedule.set_rate(0.025)
    assert float(rate(tf.constant(7, tf.int64))) == pytest.approx(0.025) and len(traces) == 1


@pytest.mark.parametrize("schedule", list(SCHEDULE_PARAMS))
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.01, 10.0, 50.0])
def test_every_rate_is_finite_and_within_bounds(schedule: str, warmup_epochs: float) -> None:
    extreme = {"decay_rate": 1e-6, "decay_steps": 1, "milestones": [1, 2], "first_decay_steps": 1}
    found = rates(learning_rate=0.1, schedule=schedule, warmup_epochs=warmup_epochs, **extreme)
    assert np.isfinite(found).all() and (found >= 0).all() and found.max() <= np.float32(0.1)


def test_a_warm_up_longer_than_the_training_goes_on_rising() -> None:
    assert rates(learning_rate=0.1, schedule="cosine", warmup_epochs=50)[100] == pytest.approx(0.02)
