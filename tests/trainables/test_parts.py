"""Batches that are trained in parts: the weights are those of whole batches, on both paths, and nothing is retraced."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainables.models import Named, Plain, PlainStreamed, Small
from trainables.contract import Data
from trainables.exceptions import PartsError
from trainables.training import WarmTrainer, make_trainer

pytestmark = [pytest.mark.slow(30), pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

EPOCHS = 2


class WithCallbacks(Plain):
    def callbacks(self, params: Any) -> list[Any]:
        return [keras.callbacks.TerminateOnNaN()]


class Compiled(Plain):
    def build_model(self, params: Any) -> Any:
        model = super().build_model(params)
        optimizer = keras.optimizers.Adam(params.learning_rate, clipnorm=0.1)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


class Batched(Compiled):
    def load_data(self) -> Data:
        arrays = super().load_data()
        train = tf.data.Dataset.from_tensor_slices(arrays.train).batch(64)
        return Data(train, arrays.validation)


class OwnOptimizers(keras.Model):
    """Two steps a batch, as a GAN has them."""

    def __init__(self) -> None:
        super().__init__()
        self.classes = keras.layers.Dense(10, activation="softmax")

    def call(self, inputs: Any) -> Any:
        return self.classes(inputs)

    def train_step(self, batch: Any) -> Any:
        super().train_step(batch)
        return super().train_step(batch)


class TwoSteps(Small):
    def build_model(self, params: Any) -> Any:
        return OwnOptimizers()


def trained(kind: type[Any], at_most: int | None = None, **params: Any) -> tuple[Any, dict[str, float], list[Any]]:
    """The trainer, the last epoch's metrics and the weights after EPOCHS epochs of 300 examples."""
    trainable = kind()
    trainer = make_trainer(trainable, trainable.load_data(), "val_loss", "min")
    trainer.parts_max = at_most
    trainer.start({"batch_size": 64, "epochs": EPOCHS, "learning_rate": 0.01, **params}, 5)
    metrics = [trainer.train_epoch().metrics for _ in range(EPOCHS)][-1]
    return trainer, metrics, [variable.numpy() for variable in trainer.model.variables]


def check_alike(one: list[Any], other: list[Any]) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("kind", "parts"), [(Plain, 24), (Plain, 1), (PlainStreamed, 24), (Named, 24), (WithCallbacks, 24), (Compiled, 24)]
)
def test_the_weights_are_those_of_whole_batches(kind: type[Any], parts: int) -> None:
    """The last batch of an epoch has 44 examples, of which no part but the last is smaller."""
    _, whole, weights = trained(kind)
    _, metrics, in_parts = trained(kind, micro_batch_size=parts)
    check_alike(weights, in_parts)
    assert metrics["loss"] == pytest.approx(whole["loss"], rel=1e-4)
    assert metrics["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-4)
    assert metrics["learning_rate"] == whole["learning_rate"]
    assert metrics["micro_batch_size"] == parts and "micro_batch_size" not in whole


def test_a_step_is_scheduled_as_one() -> None:
    schedule = {"schedule": "cosine", "warmup_epochs": 0.5, "optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01}
    check_alike(trained(Plain, **schedule)[2], trained(Plain, micro_batch_size=10, **schedule)[2])


@pytest.mark.parametrize("kind", [Plain, WithCallbacks])
def test_averages_are_those_of_whole_batches(kind: type[Any]) -> None:
    average = {"use_ema": True, "ema_momentum": 0.8}
    whole, in_parts = (trained(kind, **average, micro_batch_size=size)[1] for size in (64, 24))
    assert in_parts["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-4)
    assert in_parts["val_loss"] != pytest.approx(trained(kind, micro_batch_size=24)[1]["val_loss"], rel=1e-2)


def test_data_that_come_in_batches_are_trained_in_parts_as_well() -> None:
    check_alike(trained(Batched)[2], trained(Batched, at_most=24)[2])


def test_what_is_not_below_the_batch_size_trains_whole_batches() -> None:
    trainer, metrics, weights = trained(Plain, micro_batch_size=64)
    assert "micro_batch_size" not in metrics and trainer.at_once == 64
    for one, other in zip(weights, trained(Plain)[2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert trained(Plain, at_most=16, micro_batch_size=32)[0].at_once == 16


def test_neither_another_part_nor_another_batch_size_is_traced_again() -> None:
    trainable = Plain()
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_loss", "min")
    traces = []
    for size, parts in ((64, None), (64, 24), (64, 7), (32, 5), (32, None), (100, 50)):
        trainer.start({"batch_size": size, "micro_batch_size": parts, "epochs": 1}, 1)
        trainer.train_epoch()
        traces.append(trainer.traces)
    assert traces[1:] == [traces[1]] * 5 and traces[1] == traces[0] + 1


def test_a_checkpoint_goes_on_in_other_parts() -> None:
    trainer, _, weights = trained(Plain)
    first = make_trainer(Plain(), Plain().load_data(), "val_loss", "min")
    params = {"batch_size": 64, "epochs": EPOCHS, "learning_rate": 0.01}
    first.start(params, 5)
    first.train_epoch()
    checkpoint = first.snapshot().to_bytes()
    trainer.parts_max = 16
    trainer.start(params, 5, checkpoint)
    metrics = trainer.train_epoch().metrics
    check_alike(weights, [variable.numpy() for variable in trainer.model.variables])
    assert (metrics["steps"], metrics["samples"], metrics["micro_batch_size"]) == (10, 600, 16)


@pytest.mark.parametrize("kind", [TwoSteps])
def test_a_step_that_is_several_is_refused_in_one_line(kind: type[Any]) -> None:
    with pytest.raises(PartsError, match=r"does not apply its gradients once.*: here it does 2 times"):
        trained(kind, micro_batch_size=8)


@pytest.mark.parametrize("kind", [Plain, PlainStreamed, WithCallbacks, Batched])
@pytest.mark.parametrize(("size", "steps"), [(64, 5), (300, 1)])
def test_steps_and_samples_are_metrics(kind: type[Any], size: int, steps: int) -> None:
    if kind is Batched:
        size, steps = 64, 5
    _, metrics, _ = trained(kind, batch_size=size)
    samples = EPOCHS * steps * size if kind is Batched else EPOCHS * 300  # of batches, each counts as the first one
    assert (metrics["steps"], metrics["samples"], metrics["steps_per_epoch"]) == (EPOCHS * steps, samples, steps)


def test_a_metric_of_ones_own_with_such_a_name_stays() -> None:
    class Own(Plain):
        def evaluate(self, model: Any, data: Any) -> dict[str, float]:
            return {"samples": 0.5}

    metrics = trained(Own)[1]
    assert metrics["samples"] == 0.5 and metrics["steps"] == 10


def test_the_last_epoch_is_the_best_one_where_that_is_asked_for() -> None:
    for kind in (Plain, WithCallbacks):
        trainable = kind()
        for takes_last in (False, True):
            trainer = make_trainer(trainable, trainable.load_data(), "val_loss", "max", takes_last=takes_last)
            trainer.start({"epochs": 3, "learning_rate": 0.01}, 5)  # the loss falls: the first epoch has the highest
            values = [trainer.train_epoch().metrics["val_loss"] for _ in range(3)]
            best = 3 if takes_last else 1
            assert (trainer.best_epoch, trainer.best_value) == (best, values[best - 1])
            if takes_last:
                check_alike(trainer.best_snapshot().progress.best_values, [v.numpy() for v in trainer.model.variables])


@pytest.mark.parametrize("base", [Plain, PlainStreamed])
def test_each_part_of_a_batch_is_augmented_by_draws_of_its_own(base: type[Any]) -> None:
    seen: list[tuple[int, ...]] = []

    class Augmented(base):  # type: ignore[misc]
        def augmentation(self, params: Any) -> dict[str, float]:
            return {"noise": 0.1}

        def augment(self, inputs: Any, strengths: Any, seed: Any) -> Any:
            tf.py_function(lambda key: seen.append(tuple(key.numpy().tolist())), [seed], [])
            return inputs + strengths["noise"] * tf.random.stateless_normal(tf.shape(inputs), seed)

    trainable = Augmented()
    trainer = make_trainer(trainable, trainable.load_data(), "val_loss", "min")
    trainer.start({"batch_size": 128, "micro_batch_size": 32, "epochs": 1}, 1)
    counts = trainer.train_epoch().metrics
    assert len(seen) == len(set(seen)) > 3 * counts["steps"], "parts of one batch had the same draws"
