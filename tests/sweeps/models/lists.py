"""A model with a list of layers, which refuses what is too large for it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trainables import Data, Infeasible, Trainable, TrainingParams


class Lists(Trainable):
    loss = "sparse_categorical_crossentropy"

    class Params(TrainingParams):
        units: tuple[int, ...] = (4,)
        hidden: list[int] | None = None

    def load_data(self) -> Data:
        rng = np.random.default_rng(0)
        return Data(*((rng.normal(size=(32, 8)).astype("float32"), rng.integers(0, 2, 32)) for _ in range(2)))

    def build_model(self, params: Any) -> keras.Model:
        if sum(params.units) > 20:
            raise Infeasible(f"{sum(params.units)} units are too many")
        layers = [keras.layers.Dense(units, "relu") for units in (*params.units, *(params.hidden or ()))]
        return keras.Sequential([keras.Input((8,)), *layers, keras.layers.Dense(2, "softmax")])
