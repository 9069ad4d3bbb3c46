"""Trainables whose training has phases, or that augment their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import Field

from trainables import Data, Phase, Trainable, TrainingParams


def arrays(count: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 6)).astype("float32")
    return x, (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("int32")


class TwoPhases(Trainable):
    """A base of two layers and batch normalization, frozen at first; then its upper layer learns."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(TrainingParams):
        head_epochs: int = Field(2, ge=0)
        lower: float = 0.0
        upper: float = 0.1
        noise: float = 0.0

    def load_data(self) -> Data:
        return Data(arrays(80, 0), arrays(40, 1))

    def build_model(self, params: Any) -> keras.Model:
        layers = keras.layers
        lower = layers.Dense(8, activation="relu", name="lower")
        upper = layers.Dense(8, activation="relu", name="upper")
        base = keras.Sequential([keras.Input((6,)), lower, layers.BatchNormalization(name="norm"), upper], name="base")
        head = layers.Dense(2, activation="softmax", name="head")
        return keras.Sequential([keras.Input((6,)), base, layers.Dropout(0.3), head])

    def phases(self, params: Any, model: Any) -> Sequence[Phase]:
        base = model.get_layer("base")
        then = {base: params.lower, base.get_layer("upper"): params.upper}
        return [Phase(params.head_epochs, {base: 0}), Phase(rates=then)]

    def augmentation(self, params: Any) -> Mapping[str, float]:
        return {"noise": params.noise}

    def augment(self, inputs: Any, strengths: Mapping[str, Any], seed: Any) -> Any:
        return inputs + strengths["noise"] * tf.random.stateless_normal(tf.shape(inputs), seed)
