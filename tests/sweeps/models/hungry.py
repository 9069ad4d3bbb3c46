"""A model for whose batches there is too little memory, beyond some examples at once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import Data, Params, Trainable


class Hungry(keras.layers.Layer):
    """Asks for more memory than any machine has, for more examples than that."""

    def __init__(self, examples_max: int) -> None:
        super().__init__()
        self.examples_max = examples_max

    def call(self, inputs: Any) -> Any:
        def too_much() -> Any:
            size = tf.cast(tf.shape(inputs)[0], tf.int64) * 2**42  # floats: more than 2**47 bytes, which no process has
            return tf.reduce_max(tf.fill([size], 0.0))

        is_too_many = tf.shape(inputs)[0] > self.examples_max
        return inputs + tf.stop_gradient(tf.cond(is_too_many, too_much, lambda: tf.constant(0.0)))


class Fitting(Trainable):
    """Its training takes few examples at once; validation, four times as many."""

    loss = "mse"

    class Params(Params):
        examples_max: int = 10**6

    def load_data(self) -> Data:
        x = np.random.default_rng(0).normal(size=(100, 3)).astype("float32")
        y = x.sum(axis=1, keepdims=True)
        return Data(train=(x[:84], y[:84]), validation=(x[84:], y[84:]))

    def build_model(self, params: Any) -> keras.Model:
        layers = [keras.layers.Dense(4, activation="relu"), Hungry(params.examples_max), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((3,)), *layers])


class FittingByFit(Fitting):
    def callbacks(self, params: Any) -> list[Any]:
        return [keras.callbacks.TerminateOnNaN()]
