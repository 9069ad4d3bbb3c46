"""Trainables of the fit path for the tests, loaded as a user's own file is."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from pydantic import BaseModel

from trainables import data
from trainables.contract import Data, Params, Trainable


class Plain(BaseModel):
    """Parameters of a user's own, under names of a user's own."""

    lr: float = 0.01
    width: int = 8
    unused: float = 0.0
    patience: int = 2


class Compiled(Trainable):
    """A model that compiles itself, with dropout and the rate under another name."""

    Params = Plain

    def load_data(self) -> Data:
        digits = data.digits()
        parts = ((digits.train, 300), (digits.validation, 100), (digits.test, 100))
        return Data(*(tuple(rows[:length] for rows in part) for part, length in parts))

    def build_model(self, params: Any) -> keras.Model:
        layers = [keras.Input((64,)), keras.layers.Dense(params.width, activation="relu"), keras.layers.Dropout(0.2)]
        model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
        model.compile(keras.optimizers.Adam(params.lr), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class Events(keras.callbacks.Callback):
    """Notes what it is told; `ends` are the trainings that have ended."""

    ends: ClassVar[list[list[str]]] = []

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.function = lambda: None  # which has no state

    def on_train_begin(self, logs: Any = None) -> None:
        self.seen.append("train begin")

    def on_train_end(self, logs: Any = None) -> None:
        self.seen.append("train end")
        Events.ends.append(self.seen)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(f"epoch {epoch} begin")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen.append(f"epoch {epoch} end {sorted(logs)}")

    def on_test_begin(self, logs: Any = None) -> None:
        self.seen.append("test begin")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.seen.append(f"batch {batch}")


class WithCallbacks(Compiled):
    """Everything that changes the course of a training, and notes of it."""

    def callbacks(self, params: Any) -> list[Any]:
        return [
            Events(),
            keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
            keras.callbacks.EarlyStopping("val_loss", patience=params.patience, restore_best_weights=True),
            keras.callbacks.CSVLogger("log.csv"),
            keras.callbacks.ModelCheckpoint("best.weights.h5", save_best_only=True, save_weights_only=True),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
            keras.callbacks.TerminateOnNaN(),
        ]


class Rises(WithCallbacks):
    """Its validation loss rises soon: it learns what is not there."""

    def load_data(self) -> Data:
        rng = np.random.default_rng(0)
        parts = ((rng.normal(size=(n, 64)).astype("float32"), rng.integers(0, 10, n)) for n in (64, 64, 64))
        return Data(*parts)


class Uncompiled(Compiled):
    """What the fast path would train, but with a class weight and options."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)
    class_weight: ClassVar[Any] = {label: 1.0 + label for label in range(10)}

    class Params(Params):
        width: int = 8

    def fit_options(self, params: Any) -> dict[str, Any]:
        return {"validation_freq": 2}

    def build_model(self, params: Any) -> keras.Model:
        layers = [keras.Input((64,)), keras.layers.Dense(params.width, activation="relu")]
        return keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])


class Batches(keras.utils.PyDataset):
    """Batches of arrays in an order that it shuffles itself after each epoch."""

    def __init__(self, x: Any, y: Any, size: int = 50) -> None:
        super().__init__()
        self.x, self.y, self.size, self.order = x, y, size, np.arange(len(x))

    def __len__(self) -> int:
        return len(self.x) // self.size

    def __getitem__(self, index: int) -> Any:
        rows = self.order[index * self.size : (index + 1) * self.size]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self) -> None:
        np.random.shuffle(self.order)


class Python(Compiled):
    def load_data(self) -> Data:
        arrays = super().load_data()
        return Data(Batches(*arrays.train), Batches(*arrays.validation))


class Batched(Compiled):
    """Data sets that are batched already, the training set without an end."""

    fit_options: ClassVar[Any] = {"steps_per_epoch": 4}

    def load_data(self) -> Data:
        arrays = super().load_data()
        train, validation = (tf.data.Dataset.from_tensor_slices(p).batch(25) for p in (arrays.train, arrays.validation))
        return Data(train.repeat(), validation)


class Generated(Batched):
    """Batches from a generator of Python, without an end."""

    def load_data(self) -> Data:
        x, y = super(Batched, self).load_data().train

        def make() -> Any:
            at = 0
            while True:
                rows = np.arange(at, at + 20) % len(x)
                yield x[rows], y[rows]
                at += 20

        return Data(make, super(Batched, self).load_data().validation)


class TwoOptimizers(keras.Model):
    """A step of its own, with an optimizer for each of two layers, made as each is first applied, and a counter."""

    def __init__(self, params: Any) -> None:
        super().__init__()
        self.hidden, self.last = keras.layers.Dense(params.width, activation="relu"), keras.layers.Dense(10)
        self.first_optimizer, self.second_optimizer = keras.optimizers.Adam(params.lr), keras.optimizers.SGD(0.05, 0.9)
        self.counter = tf.Variable(0, dtype=tf.int64, trainable=False)

    def call(self, inputs: Any) -> Any:
        return self.last(self.hidden(inputs))

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, self(x), from_logits=True))
        hidden, last = self.hidden.trainable_variables, self.last.trainable_variables
        gradients = tape.gradient(loss, [*hidden, *last])
        self.first_optimizer.apply_gradients(zip(gradients[: len(hidden)], hidden, strict=True))
        scale = tf.where(self.counter % 2 == 0, 1.0, 0.5)
        self.second_optimizer.apply_gradients(zip([g * scale for g in gradients[len(hidden) :]], last, strict=True))
        self.counter.assign_add(1)
        return {"loss": loss}

    def test_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        predicted = self(x)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, predicted, from_logits=True))
        hits = tf.cast(tf.argmax(predicted, 1) == tf.cast(y, tf.int64), tf.float32)
        return {"loss": loss, "accuracy": tf.reduce_mean(hits)}


class Custom(Compiled):
    def build_model(self, params: Any) -> keras.Model:
        model = TwoOptimizers(params)
        model.compile()
        return model


class Tuned(Compiled):
    """All that `compile` takes besides: steps in one call, and a moving average of the weights."""

    def build_model(self, params: Any) -> keras.Model:
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
        optimizer = keras.optimizers.SGD(params.lr, use_ema=True)
        loss = "sparse_categorical_crossentropy"
        model.compile(optimizer, loss=loss, metrics=["accuracy"], steps_per_execution=3)
        return model
