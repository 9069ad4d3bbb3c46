"""A model that compiles itself, whose training ends itself when the validation loss rises."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from pydantic import BaseModel

from trainables.contract import Data, Trainable


class Slow(keras.callbacks.Callback):
    """Epochs of a quarter of a second, so that a kill finds a trial at work; counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        time.sleep(0.25)
        self.count += 1
        logs["count"] = float(self.count)


class StopsItself(Trainable):
    class Params(BaseModel):
        lr: float = 0.01
        width: int = 8

    def load_data(self) -> Data:
        rng = np.random.default_rng(0)
        return Data(*((rng.normal(size=(64, 16)).astype("float32"), rng.integers(0, 4, 64)) for _ in range(3)))

    def callbacks(self, params: Any) -> list[Any]:
        stops = keras.callbacks.EarlyStopping("val_loss", patience=4, start_from_epoch=8, restore_best_weights=True)
        return [Slow(), keras.callbacks.ReduceLROnPlateau(patience=2), stops, keras.callbacks.CSVLogger("log.csv")]

    def build_model(self, params: Any) -> keras.Model:
        hidden = keras.layers.Dense(params.width, activation="relu")
        model = keras.Sequential([keras.Input((16,)), hidden, keras.layers.Dropout(0.3), keras.layers.Dense(4)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(params.lr), loss=loss, metrics=["accuracy"])
        return model
