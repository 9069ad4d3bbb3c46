"""Models that take batches of one size only."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from trainables.contract import Data, DataError, Params, Trainable
from trainables.training import WarmTrainer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


class Recurrent(Trainable):
    loss = "mse"

    class Params(Params):
        kind: str = "stateful"
        size: int = 0

    def load_data(self) -> Data:
        x = np.random.default_rng(1).normal(size=(24, 3, 2)).astype("float32")
        return Data((x, x.sum(axis=(1, 2))[:, None]), (x[:16], x.sum(axis=(1, 2))[:16, None]))

    def build_model(self, params: Any) -> Any:
        inputs = keras.Input(batch_shape=(params.size or params.batch_size, 3, 2))
        is_stateful = params.kind == "stateful"
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GRU(4, stateful=is_stateful)(inputs)))


@pytest.mark.parametrize("kind", ["stateful", "fixed"])
def test_batch_sizes_that_divide_work_and_others_are_refused_with_the_rule(kind: str) -> None:
    trainable = Recurrent()
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_loss", "min")
    for size in (4, 8):
        trainer.start({"kind": kind, "batch_size": size, "learning_rate": 0.02}, 1)
        losses = [trainer.train_epoch().metrics["val_loss"] for _ in range(4)]
        assert losses[-1] < losses[0]
        if kind == "stateful" and size == 4:
            checkpoint = trainer.snapshot().to_bytes()
            expected = trainer.train_epoch().metrics["val_loss"]
            trainer.start({"kind": kind, "batch_size": size, "learning_rate": 0.02}, 1, checkpoint)
            assert trainer.train_epoch().metrics["val_loss"] == expected
    with pytest.raises(DataError, match="training data must hold a multiple of that, but 4 examples are over"):
        trainer.start({"kind": kind, "batch_size": 5}, 1)
    with pytest.raises(DataError, match="batch_size must be 8, but got 4"):
        trainer.start({"kind": kind, "batch_size": 4, "size": 8}, 1)
