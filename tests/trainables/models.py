"""Trainables for the tests, loaded as a user's own file is."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from trainables import data
from trainables.contract import Data, Params, Trainable


def small(part: Any, length: int) -> Any:
    return tuple(rows[:length] for rows in part)


class Small(Trainable):
    """A part of the digits, so that epochs take milliseconds."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(Params):
        units: int = 8
        dropout: float = 0.2
        fails: bool = False

    def load_data(self) -> Data:
        digits = data.digits()
        return Data(small(digits.train, 300), small(digits.validation, 100), small(digits.test, 100))

    def select_data(self, data: Data, params: Any) -> Data:
        if params.fails:
            raise ValueError("no such data")
        return data

    def build_model(self, params: Any) -> keras.Model:
        layers = [keras.Input((64,)), keras.layers.Dense(params.units, activation="relu")]
        layers += [keras.layers.BatchNormalization(), keras.layers.Dropout(params.dropout)]
        return keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax", dtype="float32")])


class Plain(Small):
    """Nothing in it draws numbers or looks at a whole batch; a loss of its weights."""

    def build_model(self, params: Any) -> keras.Model:
        hidden = keras.layers.Dense(params.units, activation="relu", kernel_regularizer="l2")
        return keras.Sequential([keras.Input((64,)), hidden, keras.layers.Dense(10, activation="softmax")])


class PlainStreamed(Plain):
    def load_data(self) -> Data:
        arrays = super().load_data()
        return Data(*(tf.data.Dataset.from_tensor_slices(part) for part in (arrays.train, arrays.validation)))


class Noise(keras.layers.Layer):
    """Random numbers from Keras's global generator, whose state lies outside of the model."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        return inputs + keras.random.normal(keras.ops.shape(inputs), stddev=0.1) if training else inputs


class CustomStep(keras.Model):
    """A training step of its own, and an initial weight from TensorFlow's stateful generator."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.hidden, self.noise = keras.layers.Dense(units, activation="relu"), Noise()
        self.classes = keras.layers.Dense(10, activation="softmax")
        self.scale = self.add_weight(shape=(), initializer=lambda shape, dtype: tf.random.uniform(shape, 0.9, 1.1))

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.classes(self.noise(self.hidden(inputs * self.scale), training=training))

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape() as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(x, y, predicted)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {**self.compute_metrics(x, y, predicted), "loss": loss}


class Custom(Small):
    def build_model(self, params: Any) -> keras.Model:
        return CustomStep(params.units)


class Streamed(Small):
    """The same data as data sets of single examples; one of unknown length."""

    def load_data(self) -> Data:
        arrays = super().load_data()
        train = tf.data.Dataset.from_tensor_slices(arrays.train).filter(lambda x, y: y >= 0)
        return Data(train, *(tf.data.Dataset.from_tensor_slices(part) for part in (arrays.validation, arrays.test)))


class Named(Small):
    """Inputs by name, two of them, and sample weights."""

    def load_data(self) -> Data:
        arrays = super().load_data()

        def named(part: Any) -> Any:
            return {"top": part[0][:, :32], "bottom": part[0][:, 32:]}, part[1], np.ones(len(part[1]))

        return Data(named(arrays.train), named(arrays.validation), named(arrays.test))

    def build_model(self, params: Any) -> keras.Model:
        inputs = {name: keras.Input((32,), name=name) for name in ("top", "bottom")}
        hidden = keras.layers.Concatenate()(list(inputs.values()))
        return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))


class Outputs(Small):
    """Two outputs, each with a loss and metrics of its own."""

    loss: ClassVar[Any] = {"digit": "sparse_categorical_crossentropy", "mean": "mse"}
    metrics: ClassVar[Any] = {"digit": ["accuracy"], "mean": ["mae"]}

    def load_data(self) -> Data:
        arrays = super().load_data()
        return Data(*((x, {"digit": y, "mean": x.mean(1)}) for x, y in (arrays.train, arrays.validation, arrays.test)))

    def build_model(self, params: Any) -> keras.Model:
        inputs = keras.Input((64,))
        hidden = keras.layers.Dense(params.units, activation="relu")(inputs)
        sizes = {"digit": (10, "softmax"), "mean": (1, None)}
        outputs = {name: keras.layers.Dense(*size, name=name)(hidden) for name, size in sizes.items()}
        return keras.Model(inputs, outputs)


class Lossless(CustomStep):
    """Steps of its own that report a surprise and no loss."""

    def train_step(self, batch: Any) -> dict[str, Any]:
        return {"surprise": super().train_step(batch)["loss"]}

    def test_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        return {"surprise": keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, self(x)))}


class OwnNames(Small):
    metrics = ()

    def build_model(self, params: Any) -> keras.Model:
        return Lossless(params.units)
