"""Models whose steps hold state of their own: what a checkpoint must have so that a pause changes nothing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainables.contract import Data, Params, Trainable
from trainables.training import WarmTrainer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

OUTSIDE = tf.Variable(0, trainable=False, name="outside")


class TwoOptimizers(keras.Model):
    """Only steps, no call: a generator with an optimizer of its own, counters of each kind, draws of each kind."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.made = keras.Sequential([keras.layers.Dense(units, activation="relu"), keras.layers.Dense(2)])
        self.judged = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        self.second = keras.optimizers.Adam(0.01)
        self.counts = {"steps": tf.Variable(0, trainable=False, name="steps")}
        self.generator = tf.random.Generator.from_seed(3)
        self.average = tf.Variable(tf.zeros([2]), trainable=False)

    def _points(self, count: Any) -> Any:
        noise = tf.random.normal([count, 3]) + keras.random.normal((count, 3)) + self.generator.normal([count, 3])
        return self.made(noise + tf.random.uniform([count, 3]))

    def train_step(self, points: Any) -> dict[str, Any]:
        count = tf.shape(points)[0]
        with tf.GradientTape(persistent=True) as tape:
            made = self._points(count)
            loss = keras.ops.mean(keras.ops.square(self.judged(points) - 1)) + keras.ops.mean(self.judged(made) ** 2)
            other = keras.ops.mean(keras.ops.square(self.judged(made) - 1))
        for optimizer, value, part in ((self.optimizer, loss, self.judged), (self.second, other, self.made)):
            weights = part.trainable_weights
            optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
        self.counts["steps"].assign_add(1)
        OUTSIDE.assign_add(1)
        self.average.assign(0.9 * self.average + 0.1 * tf.reduce_mean(made, 0))
        updates = keras.ops.cast(self.second.iterations, "float32")
        return {"loss": loss, "updates": updates, "steps": self.counts["steps"], "outside": OUTSIDE}

    def test_step(self, points: Any) -> dict[str, Any]:
        return {"loss": keras.ops.mean(self.average), "far": keras.ops.mean(keras.ops.abs(self.judged(points)))}


class Points(Trainable):
    loss = None

    class Params(Params):
        units: int = 4

    def load_data(self) -> Data:
        x = np.random.default_rng(1).normal(size=(48, 2)).astype("float32")
        return Data(train=x, validation=(x[:16],))

    def build_model(self, params: Any) -> Any:
        return TwoOptimizers(params.units)


def trainer(trainable: Trainable) -> WarmTrainer:
    return WarmTrainer(trainable, trainable.load_data(), "val_far", "min")


def epochs(made: WarmTrainer, count: int) -> list[dict[str, float]]:
    return [{**made.train_epoch().metrics, "epoch_s": 0.0} for _ in range(count)]


def test_a_pause_equals_none_bit_for_bit() -> None:
    params = {"batch_size": 16, "units": 4}
    first = trainer(Points())
    first.start(params, 5)
    straight = epochs(first, 4)
    assert [epoch["updates"] for epoch in straight] == [3.0, 6.0, 9.0, 12.0]
    assert [epoch["outside"] for epoch in straight] == [3.0, 6.0, 9.0, 12.0]
    state = first.snapshot().values
    best = first.best_model()
    assert len(best.variables) == len(first._progress.best_values)

    second = trainer(Points())
    second.start({**params, "units": 3}, 6)  # another trial leaves nothing behind
    epochs(second, 1)
    second.start(params, 5)
    assert epochs(second, 2) == straight[:2]
    checkpoint = second.snapshot().to_bytes()
    third = trainer(Points())
    third.start(params, 5, checkpoint)
    assert epochs(third, 2) == straight[2:]
    assert all((a == b).all() for a, b in zip(state, third.snapshot().values, strict=True))


class Tables(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, default_value=0)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        self.table.insert(tf.constant([1], tf.int64), tf.constant([2], tf.int64))
        return {"loss": keras.ops.mean(self(data[0]))}


class OfTables(Points):
    loss = "mse"

    def load_data(self) -> Data:
        x = np.ones((8, 2), "float32")
        return Data((x, x), (x, x))

    def build_model(self, params: Any) -> Any:
        return Tables()


def test_what_no_checkpoint_can_hold_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="writes into a lookup table"):
        trainer(OfTables()).start({"batch_size": 8}, 1)


class Autoencoder(keras.Model):
    """A variational autoencoder as the guides have it: encoder and decoder, trackers, a layer that draws."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        self.decoder = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
        self.draws = keras.random.SeedGenerator(1)
        self.tracker = keras.metrics.Mean(name="reconstruction")

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, x: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = self._loss(x)
        weights = self.trainable_weights
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        self.tracker.update_state(loss)
        return {"reconstruction": self.tracker.result()}

    def test_step(self, x: Any) -> dict[str, Any]:
        self.tracker.update_state(self._loss(x))
        return {"far": self.tracker.result()}

    def _loss(self, x: Any) -> Any:
        mean, scale = keras.ops.split(self.encoder(x), 2, axis=1)
        drawn = mean + keras.ops.exp(scale) * keras.random.normal(keras.ops.shape(mean), seed=self.draws)
        return keras.ops.mean(keras.ops.square(self.decoder(drawn) - x))


class Encoded(Points):
    def load_data(self) -> Data:
        x = np.random.default_rng(1).normal(size=(48, 2)).astype("float32")
        return Data(tf.data.Dataset.from_tensor_slices(x), x)

    def build_model(self, params: Any) -> Any:
        return Autoencoder()


class NoTestStep(Encoded):
    def build_model(self, params: Any) -> Any:
        model = type("Half", (Autoencoder,), {"test_step": keras.Model.test_step})
        return model()


def test_an_autoencoder_without_call_on_x_alone() -> None:
    made = trainer(Encoded())
    made.start({"batch_size": 16, "learning_rate": 0.05}, 1)
    straight = epochs(made, 3)
    assert straight[-1]["reconstruction"] < straight[0]["reconstruction"]
    again = trainer(Encoded())
    again.start({"batch_size": 16, "learning_rate": 0.05}, 1)
    epochs(again, 1)
    third = trainer(Encoded())
    third.start({"batch_size": 16, "learning_rate": 0.05}, 1, again.snapshot().to_bytes())
    assert epochs(third, 2) == straight[1:]
    with pytest.raises(TypeError, match="must have a test_step"):
        trainer(NoTestStep()).start({}, 1)
