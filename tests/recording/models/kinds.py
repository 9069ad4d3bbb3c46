"""Models of several kinds in one trainable, as a user's file has them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from trainables.contract import Data, Params, Trainable

TEXTS = np.array(["good film", "bad plot", "great cast", "poor music"] * 16, dtype=object)


def loss(y: Any, predicted: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(y, predicted)


def doubled(x: Any) -> Any:
    return x * 2


@keras.saving.register_keras_serializable("kinds")
class Registered(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x + 1


class Unregistered(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 3


class Scaled(keras.Model):
    """A subclassed model without `get_config`; with its default it would predict something else."""

    def __init__(self, size: int, factor: float = 1.0) -> None:
        super().__init__()
        self.dense, self.factor = keras.layers.Dense(size), factor

    def call(self, x: Any) -> Any:
        return self.dense(x) * self.factor


class Kinds(Trainable):
    class Params(Params):
        kind: str = "plain"

    def load_data(self) -> Data:
        rng = np.random.default_rng(3)
        x = {"numbers": rng.normal(size=(64, 4)).astype(np.float32), "texts": TEXTS}
        y = (x["numbers"][:, 0] > 0).astype(np.int32)
        parts = [({name: values[part] for name, values in x.items()}, y[part]) for part in (slice(48), slice(48, 64))]
        return Data(*parts)

    def build_model(self, params: Any) -> keras.Model:
        numbers, texts = keras.Input((4,), name="numbers"), keras.Input((), dtype="string", name="texts")
        words = keras.layers.TextVectorization(vocabulary=["good", "film", "bad"], output_sequence_length=2)(texts)
        found = keras.layers.Concatenate()([numbers, keras.layers.Flatten()(keras.layers.Embedding(5, 3)(words))])
        if params.kind == "custom":
            found = keras.layers.Activation(doubled)(Unregistered()(Scaled(6, 3.0)(Registered()(found))))
        if params.kind == "lambda":
            found = keras.layers.Lambda(lambda x: x * 2)(found)
        model = keras.Model({"numbers": numbers, "texts": texts}, keras.layers.Dense(2, activation="softmax")(found))
        model.compile(keras.optimizers.Adam(params.learning_rate), loss, metrics=["accuracy"])
        return model
