"""Warm reuse: nothing is traced twice, nothing leaks from one trial to the next, checkpoints go on exactly."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forks import run_forked

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MakeTrainer = Callable[..., Any]
HERE = Path(__file__).parent
TRIAL = {"learning_rate": 0.01, "batch_size": 48, "dropout": 0.3, "units": 12}


def train_elsewhere(name: str, epochs: int, target: Path, checkpoint: str = "") -> dict[str, float]:
    """The last metrics of TRIAL, trained in a fresh process."""
    arguments = [str(HERE / "models.py"), name, json.dumps(TRIAL), "5", str(epochs), checkpoint, str(target)]
    metrics: dict[str, float] = json.loads(run_forked(HERE / "train.py", *arguments))
    return metrics


def train_here(trainer: Any, epochs: int, target: Path) -> dict[str, float]:
    trainer.start(TRIAL, 5)
    for _ in range(epochs):
        metrics = trainer.train_epoch().metrics
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(trainer.snapshot().to_bytes())
    return {**metrics, **trainer.test_metrics(), "epoch_s": 0}


def state(checkpoint: Path) -> dict[str, bytes]:
    with np.load(checkpoint) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def train_others(trainer: Any, num_trials: int) -> None:
    """Trials of other models, optimizers, batch sizes and schedules, one of which fails."""
    for seed in range(10, 10 + num_trials):
        params: dict[str, Any] = {**TRIAL, "learning_rate": 1 / seed, "batch_size": 16 + seed}
        params["optimizer"] = ("adam", "adagrad", "sgd", "rmsprop")[seed // 2 % 4]
        params["units"] = 12 if seed % 3 else 20
        params["schedule"] = ("constant", "cosine", "exponential")[seed % 3]
        if seed == 13:
            with pytest.raises(ValueError, match="no such data"):
                trainer.start({**params, "fails": True}, seed)
            continue
        trainer.start(params, seed)
        trainer.train_epoch()
        trainer.test_metrics()


@pytest.mark.parametrize("name", ["Small", "Custom", "Streamed"])
def test_a_warm_trial_equals_one_in_a_fresh_process(make_trainer: MakeTrainer, tmp_path: Path, name: str) -> None:
    expected = train_elsewhere(name, 3, tmp_path / "fresh.npz")
    trainer = make_trainer(name)
    train_others(trainer, 12 if name == "Small" else 8)
    for attempt in range(2):  # the second under a seed that was used before
        assert train_here(trainer, 3, tmp_path / "warm.npz") == expected, attempt
        assert state(tmp_path / "warm.npz") == state(tmp_path / "fresh.npz")


@pytest.mark.parametrize("name", ["Small"])
def test_a_resumed_training_equals_one_without_a_break(make_trainer: MakeTrainer, tmp_path: Path, name: str) -> None:
    expected = train_here(make_trainer(name), 5, tmp_path / "straight.npz")
    train_here(make_trainer(name), 2, tmp_path / "deep" / "half.npz")
    found = train_elsewhere(name, 3, tmp_path / "resumed.npz", str(tmp_path / "deep" / "half.npz"))
    assert found == expected
    assert state(tmp_path / "resumed.npz") == state(tmp_path / "straight.npz")


def test_the_best_epoch_survives_a_break(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    trainer = make_trainer()
    train_here(trainer, 4, tmp_path / "half.npz")
    best = trainer.best_epoch, trainer.best_value, trainer.test_metrics()
    trainer.start({**TRIAL, "units": 20}, 1)
    trainer.start(TRIAL, 5, (tmp_path / "half.npz").read_bytes())
    assert (trainer.best_epoch, trainer.best_value, trainer.test_metrics()) == best and trainer.epoch == 4


def test_checkpoints_that_do_not_fit(make_trainer: MakeTrainer, tmp_path: Path) -> None:
    from trainables.training import CheckpointError

    trainer, path = make_trainer(), tmp_path / "trial.npz"
    train_here(trainer, 1, path)
    assert [file.name for file in tmp_path.iterdir()] == ["trial.npz"]
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:3000] + b"\0\0\0\0" + whole[3004:]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"must be a whole checkpoint"):
            trainer.start(TRIAL, 5, path.read_bytes())
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match=r"must have the shape \(64, 13\), but got \(64, 12\)"):
        trainer.start({**TRIAL, "units": 13}, 5, path.read_bytes())
    with pytest.raises(CheckpointError, match="variables of this model, but got"):
        trainer.start({**TRIAL, "optimizer": "sgd"}, 5, path.read_bytes())
    path.write_bytes(trainer.best_snapshot().to_bytes())
    with pytest.raises(CheckpointError, match="variables of this model, but got 0"):
        trainer.start(TRIAL, 5, path.read_bytes())
    path.write_bytes(whole)
    trainer.start(TRIAL, 5, path.read_bytes())
    assert trainer.train_epoch().epoch == 2


@pytest.mark.parametrize("name", ["Small", "Streamed"])
def test_nothing_is_traced_again_for_numbers(make_trainer: MakeTrainer, name: str) -> None:
    trainer = make_trainer(name)

    def traces(**params: Any) -> int:
        before = trainer.traces
        trainer.start({"momentum": 0.5, "optimizer": "sgd", "weight_decay": 0.1, **params}, trainer.traces)
        trainer.train_epoch()
        trainer.train_epoch()
        return int(trainer.traces - before)

    assert traces() == 2
    assert traces(learning_rate=0.2) == 0
    assert traces(schedule="cosine", warmup_epochs=0.5, epochs=3) == 0
    assert traces(schedule="exponential", decay_rate=0.3, decay_steps=4, staircase=True) == 0
    assert traces(batch_size=7) == 0
    assert traces(momentum=0.6, weight_decay=0.2) == 0
    assert traces(units=9) == 2
    assert traces(batch_size=300) == 0  # the model before is still there
    assert trainer.test_metrics() and trainer.traces == 4


def test_another_train_size_is_not_traced_again(make_trainer: MakeTrainer) -> None:
    from trainables.contract import Data

    trainer = make_trainer()
    data = trainer._data
    for length in (300, 100, 50):
        trainer._trainable.select_data = lambda _, params, length=length: Data(
            tuple(rows[:length] for rows in data.train), data.validation
        )
        trainer.start({"batch_size": 10}, length)
        trainer.train_epoch()
        assert int(trainer._trial.compiled.model.optimizer.iterations.numpy()) == length // 10
    assert trainer.traces == 2


def test_a_model_with_state_outside_of_its_variables_is_not_used_again(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer("Custom")
    traces = []
    for seed in range(2):
        trainer.start(TRIAL, seed)
        trainer.train_epoch()
        traces.append(trainer.traces)
    assert traces[1] == 2 * traces[0]


def test_the_trainer_survives_what_a_trainable_raises(make_trainer: MakeTrainer, monkeypatch: Any) -> None:
    trainer = make_trainer()
    trainer.start(TRIAL, 1)
    expected = [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(2)]
    trainer.start(TRIAL, 2)
    with monkeypatch.context() as patch:
        patch.setattr(trainer._trial.compiled, "evaluate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            trainer.train_epoch()
    with pytest.raises(RuntimeError, match="no trial is running"):
        trainer.train_epoch()
    with pytest.raises(ValueError, match="no such data"):
        trainer.start({**TRIAL, "fails": True}, 3)
    trainer.start(TRIAL, 1)
    assert [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(2)] == expected


def test_models_that_leave_the_cache_are_freed(make_trainer: MakeTrainer) -> None:
    trainer = make_trainer()
    models, graphs = [], []
    for units in range(1, 12):
        trainer.start({"units": units}, units)
        trainer.train_epoch()
        compiled = trainer._trial.compiled
        models.append(weakref.ref(compiled.model))
        graphs += [weakref.ref(graph.graph) for graph, _ in compiled._graphs.values()]
    del compiled
    gc.collect()
    assert [model() is None for model in models] == [True] * 2 + [False] * 9
    assert sum(graph() is None for graph in graphs) == 4


@pytest.mark.parametrize("same", [True, False])
def test_the_key_ignores_automatic_names_only(same: bool) -> None:
    import keras

    from trainables.contract import Params
    from trainables.training.cache import cache_key

    def key(activation: str) -> str:
        inputs = keras.Input((4,))
        hidden = keras.layers.Dense(3, activation=activation)(inputs)
        return cache_key(keras.Model(inputs, keras.layers.Add()([hidden, hidden])), Params())

    assert (key("relu") == key("relu" if same else "tanh")) is same


def test_the_key_of_a_lambda_or_custom_layer_holds_all_params() -> None:
    import keras

    from trainables.mnist_dense import MnistDense
    from trainables.training.cache import cache_key

    def key(**params: Any) -> str:
        model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * params.get("dropout", 1))])
        return cache_key(model, MnistDense.Params(**params))

    assert key(dropout=0.1) != key(dropout=0.2)
    assert key(learning_rate=0.1, batch_size=3) == key(learning_rate=0.2)
