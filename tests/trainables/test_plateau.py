"""The rule of the schedule `plateau` against Keras's ReduceLROnPlateau, epoch by epoch."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from trainables.contract import Params
from trainables.schedules.plateau import Plateau, begin

LOSSES = [1.0, 0.9, 0.9, 0.89, 0.95, 0.95, 0.95, 0.95, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.49999, 0.6, 0.6, 0.4, 0.5]


def plateau(**given: Any) -> Params:
    return Params(schedule="plateau", **{f"plateau_{name}": value for name, value in given.items()}, learning_rate=0.1)


def rates(params: Params, losses: list[float], warmup: float = 0) -> list[float]:
    """The rate after each epoch; the state goes through JSON, as it does in a checkpoint."""
    state = begin(params)
    assert state is not None
    found = []
    for epoch, loss in enumerate(losses, start=1):
        kept = json.loads(json.dumps(state.to_dict(), allow_nan=False))
        assert Plateau.from_dict(kept) == state
        state = state.after(epoch, loss, params)
        found.append(state.rate)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "given",
    [
        {"patience": 2},
        {"patience": 0, "factor": 0.5},
        {"patience": 1, "cooldown": 2, "factor": 0.3},
        {"patience": 2, "min_delta": 0.05, "factor": 0.7},
        {"patience": 1, "min_lr": 0.004, "factor": 0.2},
    ],
)
def test_rates_are_those_of_keras_callback(given: dict[str, Any]) -> None:
    import keras

    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", mode="min", **{"factor": 0.1, **given})
    optimizer = keras.optimizers.SGD(0.1)
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    expected = []
    for epoch, loss in enumerate(LOSSES):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        expected.append(float(optimizer.learning_rate.numpy()))
    assert rates(plateau(**given), LOSSES) == expected


def test_the_rate_rises_slowly_once_a_further_fall_brought_nothing() -> None:
    found = rates(plateau(patience=2, factor=0.1, rise=2.0), [1.0] * 18)
    assert found[:3] == pytest.approx([0.1, 0.1, 0.01])  # falls after two epochs without improvement
    assert found[3:9] == pytest.approx([0.01, 0.01, 0.02, 0.04, 0.08, 0.1])  # and rises after two more
    assert found[9:12] == pytest.approx([0.1, 0.01, 0.01])  # then the rule begins anew


def test_an_improvement_between_two_falls_lets_the_rate_fall_further() -> None:
    found = rates(plateau(patience=1, factor=0.5, rise=2.0), [1.0, 1.0, 0.5, 0.5, 0.5, 0.5])
    assert found == pytest.approx([0.1, 0.05, 0.05, 0.025, 0.025, 0.05])


def test_epochs_of_the_warm_up_do_not_count() -> None:
    params = plateau(patience=1, factor=0.5).model_copy(update={"warmup_epochs": 2.0})
    assert rates(params, [1.0, 1.0, 1.0, 1.0]) == pytest.approx([0.1, 0.1, 0.05, 0.025])


def test_a_loss_that_is_not_finite_is_no_improvement() -> None:
    assert rates(plateau(patience=1, factor=0.5), [np.nan, 1.0, np.inf]) == pytest.approx([0.05, 0.05, 0.025])


def test_another_schedule_has_no_such_rule() -> None:
    assert begin(Params(schedule="cosine")) is None
