"""Losses and metrics as people write them: functions of their own, classes, instances."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from trainables.contract import Data, Params, Trainable, epoch_metrics, metric_name


def difference(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred)


def weighed(y_true: Any, y_pred: Any, weight: float) -> Any:
    return weight * (y_true - y_pred) ** 2


class Line(Trainable):
    """Learns a line from 64 points."""

    loss: Any = "mse"
    metrics: Any = ("mae",)

    class Params(Params):
        units: int = 4
        outputs: int = 1

    def load_data(self) -> Data:
        x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
        return Data((x, 2 * x), (x[::4], 2 * x[::4]))

    def build_model(self, params: Any) -> Any:
        import keras

        layers = [keras.layers.Dense(params.units, activation="tanh"), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((1,)), *layers])


def made(loss: Any, metrics: Any = ()) -> Trainable:
    kind: type[Trainable] = type("Made", (Line,), {"loss": loss, "metrics": metrics})
    return kind()


class Mixin:
    loss = difference


class Mixed(Mixin, Line):
    """Its loss comes from a class that is no trainable."""


class OfMethod(Line):
    def loss(self, y_true: Any, y_pred: Any) -> Any:
        return difference(y_true, y_pred)


class OfNoSelf(Line):
    def loss(y_true: Any, y_pred: Any) -> Any:  # type: ignore[misc]
        return difference(y_true, y_pred)


class OfInstance(Line):
    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        self.loss = difference


class OfProperty(Line):
    @property
    def loss(self) -> Any:
        return difference


WAYS: dict[str, Callable[[], Trainable]] = {
    "function": lambda: made(difference),
    "lambda": lambda: made(lambda y_true, y_pred: difference(y_true, y_pred)),
    "partial": lambda: made(functools.partial(weighed, weight=2.0)),
    "static": lambda: made(staticmethod(difference)),
    "mixin": Mixed,
    "method": OfMethod,
    "no self": OfNoSelf,
    "instance": OfInstance,
    "property": OfProperty,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_loss_function_is_called_with_targets_and_predictions(way: str) -> None:
    assert WAYS[way]().loss(3.0, 1.0) in (2.0, 8.0)


def test_what_is_no_function_stays_as_it_is() -> None:
    for given in ("mse", None, {"a": difference}, [difference, "mse"]):
        assert made(given).loss == given


@pytest.mark.parametrize(
    ("metric", "name"),
    [("AUC", "AUC"), (difference, "difference"), (type("RMSE", (), {}), "rmse"), (type("MyF1", (), {}), "my_f1")],
)
def test_names_are_keras_own(metric: Any, name: str) -> None:
    assert metric_name(metric) == name
    assert f"val_{name}" in epoch_metrics(made("mse", [metric]))  # type: ignore[arg-type]


def train(trainable: Trainable, **params: Any) -> dict[str, float]:
    from trainables.training import WarmTrainer

    trainer = WarmTrainer(trainable, trainable.load_data(), "val_loss", "min")
    trainer.start(params, 1)
    return {**trainer.train_epoch().metrics, "epoch_s": 0.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_way_trains() -> None:
    import keras
    import tensorflow as tf

    ways: list[Any] = [difference, tf.function(difference), functools.partial(weighed, weight=2.0)]
    ways += [keras.losses.mean_absolute_error, keras.losses.MeanAbsoluteError, keras.losses.MeanAbsoluteError()]
    losses = [train(made(way))["val_loss"] for way in ways]
    squared = losses.pop(2)
    assert max(losses) - min(losses) < 1e-6 < abs(squared - losses[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_are_those_of_a_first_model_in_every_trial() -> None:
    import keras

    from trainables.training import WarmTrainer, reported_metric_names

    keras.metrics.AUC()
    keras.layers.Dense(1)
    trainable = made(
        "mse", [keras.metrics.AUC, keras.metrics.AUC, keras.metrics.AUC(name="pr", curve="PR"), difference]
    )
    data = trainable.load_data()
    data = Data(*((x, (y > 0).astype("float32")) for x, y in (data.train, data.validation)))
    trainer = WarmTrainer(trainable, data, "val_auc", "max")
    expected = reported_metric_names(trainable, data, trainable.Params())
    for units in (2, 3, 2):
        trainer.start({"units": units}, units)
        assert set(trainer.train_epoch().metrics) == set(expected)
        assert [layer.name for layer in trainer.best_model().layers] == ["dense", "dense_1"]
    assert {"auc", "auc_1", "pr", "val_auc", "val_pr", "difference"} <= set(expected)
    assert keras.metrics.AUC().name != "auc"  # the process's own numbers go on


class Shared(Line):
    """A layer that `load_data` made beside new ones of its class."""

    def load_data(self) -> Data:
        import keras

        keras.layers.Dense(1)
        self.first = keras.layers.Dense(3)
        return super().load_data()

    def build_model(self, params: Any) -> Any:
        import keras

        inputs = keras.Input((1,))
        hidden = keras.layers.Dense(params.units)(keras.layers.Dense(2)(self.first(inputs)))
        return keras.Model(inputs, keras.layers.Dense(1)(hidden))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_layer_that_the_trainable_holds_has_a_name_of_its_own() -> None:
    assert train(Shared())["loss"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_instances_are_each_models_own() -> None:
    import keras

    class Sum(keras.metrics.Metric):
        """Without get_config; Keras could not make another."""

        def __init__(self, factor: float) -> None:
            super().__init__(name="sum")
            self.factor = factor
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.total.assign_add(self.factor * keras.ops.sum(keras.ops.ones_like(y_pred)))

        def result(self) -> Any:
            return self.total

    given = [Sum(2.0), keras.metrics.MeanMetricWrapper(difference, name="own"), keras.metrics.R2Score()]
    trainable = made(keras.losses.Huber(delta=3.0), given)
    for _ in range(2):
        metrics = train(trainable, units=3)
        assert metrics["sum"] == 2.0 * 64 and metrics["own"] > 0
    assert not any(float(variable.numpy()) for metric in given for variable in metric.variables)


class Classes(Line):
    loss = "categorical_crossentropy"

    def load_data(self) -> Data:
        rng = np.random.default_rng(1)
        x, y = rng.normal(size=(60, 3)), np.eye(3, dtype=np.float32)[rng.integers(3, size=60)]
        return Data((x, y), (x, y))

    def build_model(self, params: Any) -> Any:
        import keras

        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_metric_with_a_value_for_each_class_has_a_name_for_each() -> None:
    import keras

    trainable = Classes()
    trainable.metrics = ["F1Score", keras.metrics.F1Score(name="f1"), keras.metrics.F1Score(average="macro")]
    metrics = train(trainable)
    assert {f"{name}_{label}" for name in ("F1Score", "f1", "val_f1") for label in range(3)} <= set(metrics)
    assert "f1_score" in metrics and "f1" not in metrics
    assert np.mean([metrics[f"val_f1_{label}"] for label in range(3)]) == pytest.approx(metrics["val_f1_score"])
