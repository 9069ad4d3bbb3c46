"""Optimizers against Keras's own, over steps with the same gradients; none of their numbers makes a new trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MakeTrainer = Callable[..., Any]
NUM_STEPS = 5
CLASSES = {
    "sgd": "SGD", "adagrad": "Adagrad", "adadelta": "Adadelta", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW",
    "nadam": "Nadam", "adamax": "Adamax", "lion": "Lion", "adafactor": "Adafactor",
}  # fmt: skip
OWN: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.7, "nesterov": True},
    "adagrad": {"initial_accumulator_value": 0.3, "epsilon": 1e-3},
    "adadelta": {"rho": 0.8, "epsilon": 1e-3},
    "rmsprop": {"rho": 0.8, "momentum": 0.6, "epsilon": 1e-3, "centered": True},
    "adam": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "amsgrad": True},
    "adamw": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "amsgrad": True, "weight_decay": 0.02},
    "nadam": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
    "adamax": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3},
    "lion": {"beta_1": 0.8, "beta_2": 0.95},
    "adafactor": {"beta_2_decay": -0.6, "epsilon_1": 1e-20, "epsilon_2": 0.01, "clip_threshold": 0.5},
}
SWITCHES = {"nesterov", "centered", "amsgrad"}
WEIGHTS = [np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), np.linspace(0, 1, 4, dtype=np.float32)]


def weights_after(optimizer: Any, begin: Callable[[Any], None] = lambda variables: None) -> list[Any]:
    """Two weights and their averages, if there are any, after some steps in a graph."""
    import keras
    import tensorflow as tf

    variables = [keras.Variable(value) for value in WEIGHTS]
    optimizer.build(variables)
    begin(variables)
    draws = np.random.default_rng(3)
    step = tf.function(optimizer.apply, autograph=False)
    for _ in range(NUM_STEPS):
        step([tf.constant(draws.normal(size=value.shape).astype(np.float32)) for value in WEIGHTS])
    averages = getattr(optimizer, "_model_variables_moving_average", [])
    return [variable.numpy() for variable in (*variables, *averages)]


def check(name: str, given: dict[str, Any]) -> None:
    """Compares the weights after some steps with those that Keras's own constants make."""
    import keras

    from trainables.contract import Params
    from trainables.training.optimizers import TunableOptimizer, keras_optimizer

    params = Params(optimizer=name, learning_rate=0.01, **given)
    expected = weights_after(getattr(keras.optimizers, CLASSES[name])(0.01, **given))
    assert all(map(np.array_equal, expected, weights_after(keras_optimizer(params, 0.01))))
    tunable = TunableOptimizer(params)

    def begin(variables: Any) -> None:
        tunable.place_numbers()
        tunable.begin(params)
        tunable.set(params, 10)

    found = weights_after(tunable.keras, begin)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", CLASSES)
def test_weights_are_those_of_keras_own_optimizer(name: str) -> None:
    check(name, {})
    check(name, OWN[name])
    check(name, {"weight_decay": 0.05})
    check(name, {key: value for key, value in OWN[name].items() if key not in SWITCHES})


@pytest.mark.parametrize(
    "given",
    [{"clipnorm": 0.7}, {"global_clipnorm": 0.9}, {"clipvalue": 0.4}, {"use_ema": True, "ema_momentum": 0.5}],
)
def test_clipping_and_averages_are_keras_own(given: dict[str, Any]) -> None:
    check("adam", given)
    check("sgd", {"momentum": 0.5, **given})


def test_each_step_evaluates_its_schedule_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.contract import Params
    from trainables.schedules import VariableSchedule
    from trainables.training.optimizers import TunableOptimizer

    evaluate, steps = VariableSchedule.__call__, []
    monkeypatch.setattr(VariableSchedule, "__call__", lambda self, step: (steps.append(step), evaluate(self, step))[1])
    tunable = TunableOptimizer(Params(optimizer="adamw"))
    weights_after(tunable.keras, lambda variables: tunable.place_numbers())
    assert len(steps) == 1


@pytest.mark.parametrize("name", CLASSES)
def test_no_number_of_an_optimizer_makes_a_new_trace(make_trainer: MakeTrainer, name: str) -> None:
    trainer = make_trainer("Plain")

    def traces(**params: Any) -> int:
        before = trainer.traces
        trainer.start({"optimizer": name, "batch_size": 100, **params}, 1)
        trainer.train_epoch()
        return int(trainer.traces - before)

    numbers = {key: value for key, value in OWN[name].items() if key not in SWITCHES}
    on = {"weight_decay": 0.01, "clipnorm": 1.0, "use_ema": True}
    if "momentum" in numbers:
        on["momentum"] = 0.5  # without, Keras's optimizers have no such state
    assert traces(**on) == 2
    assert traces(**{**on, **numbers, "weight_decay": 0.2, "clipnorm": 0.3, "ema_momentum": 0.8}) == 0
    assert traces(**on, schedule="one_cycle", learning_rate=0.1) == 0


def test_adagrads_first_sums_are_the_trials(make_trainer: MakeTrainer) -> None:
    def losses(trainer: Any, value: float | None) -> list[float]:
        trainer.start({"optimizer": "adagrad", "learning_rate": 0.1, "initial_accumulator_value": value}, 1)
        return [trainer.train_epoch().metrics["loss"] for _ in range(2)]

    warm, fresh = make_trainer("Plain"), make_trainer("Plain")
    default = losses(warm, None)
    assert losses(fresh, 0.9) == losses(warm, 0.9) != default == losses(warm, 0.1)


@pytest.mark.parametrize("way", ["fast", "fit"])
def test_averages_validate_are_kept_as_best_and_go_on_exactly(make_trainer: MakeTrainer, way: str) -> None:
    import keras

    from trainables.training.fit.trainer import FitTrainer

    params = {"optimizer": "adam", "learning_rate": 0.02, "batch_size": 300, "use_ema": True, "ema_momentum": 0.6}
    trainer = make_trainer("Plain")
    trainable = trainer._trainable
    if way == "fit":
        trainer = FitTrainer(trainable, trainable.load_data(), "val_accuracy", "max")
    trainer.start({**params, "epochs": 4}, 1)
    weights = trainer.model.get_weights()
    epochs, kept = [], b""
    for epoch in range(4):
        epochs.append(trainer.train_epoch().metrics)
        kept = trainer.snapshot().to_bytes() if epoch == 1 else kept

    model = trainable.build_model(trainable.Params(**params))
    model.set_weights(weights)
    optimizer = keras.optimizers.Adam(0.02, use_ema=True, ema_momentum=0.6)
    model.compile(optimizer, trainable.loss, metrics=["accuracy"])
    data = trainable.load_data()
    options = {"validation_data": data.validation, "verbose": 0, "shuffle": False, "batch_size": 300}
    fitted = model.fit(*data.train, epochs=4, callbacks=[keras.callbacks.SwapEMAWeights()], **options).history
    for name in ("loss", "val_loss", "val_accuracy"):
        assert [epoch[name] for epoch in epochs] == pytest.approx(fitted[name], rel=1e-4)

    exported = trainer.best_model()
    exported.compile(loss=trainable.loss, metrics=["accuracy"])
    best = exported.evaluate(*data.validation, verbose=0, return_dict=True)
    assert best["loss"] == pytest.approx(epochs[trainer.best_epoch - 1]["val_loss"], rel=1e-4)
    tested = exported.evaluate(*data.test, verbose=0, return_dict=True)
    assert trainer.test_metrics()["test_loss"] == pytest.approx(tested["loss"], rel=1e-4)

    trainer.start({**params, "epochs": 4}, 1, kept)
    again = [trainer.train_epoch().metrics for _ in range(2)]
    assert [{**epoch, "epoch_s": 0} for epoch in again] == [{**epoch, "epoch_s": 0} for epoch in epochs[2:]]
