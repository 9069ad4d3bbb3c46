"""Schedules against Keras's own and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from trainables.contract import Params

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
    assert values == pytest.approx([float(schedule(step)) for step in STEPS], rel=1e-5, abs=1e-9)
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


@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine"])
@pytest.mark.parametrize("warmup_epochs", [0.0, 0.01, 10.0, 50.0])
def test_every_rate_is_finite_and_within_bounds(schedule: str, warmup_epochs: float) -> None:
    extreme = {"decay_rate": 1e-6, "decay_steps": 1}
    found = rates(learning_rate=0.1, schedule=schedule, warmup_epochs=warmup_epochs, **extreme)
    assert np.isfinite(found).all() and (found >= 0).all() and found.max() <= np.float32(0.1)


def test_a_warm_up_longer_than_the_training_goes_on_rising() -> None:
    assert rates(learning_rate=0.1, schedule="cosine", warmup_epochs=50)[100] == pytest.approx(0.02)
