"""A trial whose schedule has a past, interrupted and continued: bit for bit the uninterrupted one, on both paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.trainables.models import Plain
from trainables.training import WarmTrainer
from trainables.training.fit.trainer import FitTrainer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

EPOCHS = 6
TRIAL = {"learning_rate": 0.02, "batch_size": 100, "epochs": EPOCHS}
PLATEAU = {"plateau_patience": 1, "plateau_min_delta": 0.5, "plateau_factor": 0.5, "plateau_rise": 1.5}
GIVEN: list[dict[str, Any]] = [
    {"schedule": "plateau", **PLATEAU},
    {"schedule": "cosine_restarts", "first_decay_steps": 4, "m_mul": 0.8, "weight_decay": 0.01, "use_ema": True},
]


@pytest.fixture(scope="module", params=[WarmTrainer, FitTrainer])
def trainer(request: pytest.FixtureRequest) -> Any:
    trainable = Plain()
    return request.param(trainable, trainable.load_data(), "val_loss", "min")


def epochs(trainer: Any, num_epochs: int, snapshots: list[bytes] | None = None) -> list[dict[str, float]]:
    found = []
    for _ in range(num_epochs):
        found.append({**trainer.train_epoch().metrics, "epoch_s": 0.0})
        if snapshots is not None:
            snapshots.append(trainer.snapshot().to_bytes())
    return found


@pytest.mark.parametrize("given", GIVEN, ids=lambda given: given["schedule"])
def test_a_break_changes_neither_rates_nor_losses(trainer: Any, given: dict[str, Any]) -> None:
    params, snapshots = {**TRIAL, **given}, list[bytes]()
    trainer.start(params, 3)
    whole = epochs(trainer, EPOCHS, snapshots)
    weights = [variable.numpy() for variable in trainer.model.variables]
    assert len({epoch["learning_rate"] for epoch in whole}) > 2
    trainer.start({**TRIAL, "schedule": "one_cycle"}, 4)  # another trial in between
    epochs(trainer, 1)
    for done in (2, 3, 5):
        trainer.start(params, 3, snapshots[done - 1])
        assert epochs(trainer, EPOCHS - done) == whole[done:], f"from epoch {done}"
        assert all(map(np.array_equal, weights, [variable.numpy() for variable in trainer.model.variables]))
