"""A dense network on random numbers whose epochs take as long as a benchmark wants; needs no data."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trainables import Data, Trainable, TrainingParams

NUM_EXAMPLES, NUM_FEATURES, NUM_VALIDATION = 60_000, 784, 1_000


class Dense(Trainable):
    """`units` and `examples` decide how long an epoch takes."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(TrainingParams):
        units: int = 128
        examples: int = NUM_EXAMPLES

    def load_data(self) -> Data:
        draw = np.random.default_rng(0)
        x = draw.random((NUM_EXAMPLES + NUM_VALIDATION, NUM_FEATURES), dtype=np.float32)
        y = (10 * x[:, :10].mean(axis=1)).astype(np.int32)
        return Data((x[:NUM_EXAMPLES], y[:NUM_EXAMPLES]), (x[NUM_EXAMPLES:], y[NUM_EXAMPLES:]))

    def select_data(self, data: Data, params: Any) -> Data:
        x, y = data.train
        return Data((x[: params.examples], y[: params.examples]), data.validation)

    def build_model(self, params: Any) -> keras.Model:
        hidden = keras.layers.Dense(params.units, activation="relu")
        return keras.Sequential([keras.Input((NUM_FEATURES,)), hidden, keras.layers.Dense(10, activation="softmax")])
