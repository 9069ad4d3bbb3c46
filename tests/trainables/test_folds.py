"""Trials that are cross-validated: means at equal epochs, one model for all folds, exact after a break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry
from trainables.contract import Data
from trainables.training import CheckpointError, make_trainer

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HERE = Path(__file__).parent
FAST = {"batch_size": 64, "learning_rate": 0.01}
FIT = {"lr": 0.01, "width": 8, "epochs": 4}


def of_fast(params: dict[str, Any] = FAST, metric: str = "val_accuracy", **members: Any) -> Any:
    return trainer_of("models.py", "Small", params, metric, members)


def of_fit(params: dict[str, Any] = FIT, metric: str = "val_accuracy", **members: Any) -> Any:
    return trainer_of("fit_models.py", "WithCallbacks", params, metric, members)


def trainer_of(file: str, name: str, params: dict[str, Any], metric: str, members: dict[str, Any]) -> Any:
    known = registry.load_file(HERE / file, name)
    trainable = type(name, (known,), members)()
    own = "folds" in members
    trainer: Any = make_trainer(trainable, trainable.load_data(), metric, "max", folds=None if own else 3, folds_seed=5)
    trainer.start(params, 3)
    trainer.params = params
    return trainer


def epochs(trainer: Any, count: int) -> list[dict[str, float]]:
    return [{**trainer.train_epoch().metrics, "epoch_s": 0.0} for _ in range(count)]


@pytest.mark.parametrize("make", [of_fast, of_fit])
def test_an_epoch_is_the_mean_of_its_folds(make: Callable[..., Any]) -> None:
    trainer = make()
    assert trainer.epoch_examples == sum(fold.epoch_examples for fold in trainer._folds) > 0
    found = epochs(trainer, 3)
    for metrics in found:
        for name in ("val_loss", "val_accuracy"):
            values = [metrics[f"{name}_fold_{fold}"] for fold in range(3)]
            assert metrics[name] == pytest.approx(np.mean(values)) and len(set(values)) > 1
            assert metrics[f"{name}_std"] == pytest.approx(np.std(values))
        assert "loss" in metrics and "loss_std" not in metrics and "learning_rate_std" not in metrics
    assert found[-1]["val_loss"] < found[0]["val_loss"]
    assert trainer.best_value == max(metrics["val_accuracy"] for metrics in found)
    test = trainer.test_metrics()
    assert set(test) == {"test_loss", "test_accuracy"}
    half = trainer.snapshot().to_bytes()
    expected = epochs(trainer, 1), trainer.test_metrics(), trainer.best_epoch
    trainer.start({**trainer.params, next(iter(trainer.params)): 32} if make is of_fast else FIT, 8)
    trainer.train_epoch()
    assert trainer.test_metrics() != test
    asked: list[int] = []
    trainer.start(trainer.params, 3, lambda bytes_max: asked.append(bytes_max) or half)
    assert trainer.epoch == 3 and asked[0] >= len(half)
    assert (epochs(trainer, 1), trainer.test_metrics(), trainer.best_epoch) == expected
    model = trainer.best_model()
    best = trainer.best_snapshot().progress.best_values
    assert all(np.array_equal(value, variable.numpy()) for value, variable in zip(best, model.variables, strict=True))


def test_workers_know_one_interface() -> None:
    from trainables.training import Trainer
    from trainables.training.folds import FoldTrainer

    of_one_fold = {"model", "trial", "park", "unpark", "forget", "keep_as_best"}
    assert {name for name in dir(Trainer) if not name.startswith("_")} - of_one_fold <= set(dir(FoldTrainer))


def test_folds_share_one_model_and_trace_nothing_again() -> None:
    trainer = of_fast()
    trainer.train_epoch()
    plain = registry.load_file(HERE / "models.py", "Small")()
    alone: Any = make_trainer(plain, plain.load_data(), "val_accuracy", "max")
    alone.start(FAST, 3)
    alone.train_epoch()
    assert trainer.traces == alone.traces
    for seed in range(3):
        trainer.start({**FAST, "learning_rate": 0.1 / (seed + 1), "batch_size": 32 + seed, "epochs": 2}, seed)
        epochs(trainer, 2)
    assert trainer.traces == alone.traces


def test_a_fold_trains_as_it_does_alone() -> None:
    """What the other folds do in turn changes nothing in it."""
    from trainables.folding import split
    from trainables.training import Trainer
    from trainables.training.folds import _seed

    together = epochs(of_fast(), 3)
    known = registry.load_file(HERE / "models.py", "Small")()
    for number, data in enumerate(split(known.load_data(), 3, seed=5)):
        alone = Trainer(known, data, "val_accuracy", "max")
        alone.start(FAST, _seed(3, number))
        for metrics, own in zip(together, epochs(alone, 3), strict=True):
            assert metrics[f"val_loss_fold_{number}"] == own["val_loss"]


def test_folds_of_ones_own_and_objectives_of_their_spread() -> None:
    def folds(self: Any, data: Data) -> list[Data]:
        x, y = data.train
        return [Data((x[:100], y[:100]), (x[200:], y[200:])), Data((x[100:], y[100:]), data.validation)]

    def evaluate(self: Any, model: Any, data: Any) -> dict[str, float]:
        return {"rows": len(data[0])}

    trainer = of_fast(metric="val_accuracy - val_accuracy_std", folds=folds, evaluate=evaluate)
    [metrics] = epochs(trainer, 1)
    assert (metrics["rows_fold_0"], metrics["rows_fold_1"], metrics["rows"]) == (100, 100, 100)
    assert trainer.best_value == pytest.approx(metrics["val_accuracy"] - metrics["val_accuracy_std"])


def test_a_fold_that_ends_itself_keeps_its_last_metrics() -> None:
    def callbacks(self: Any, params: Any) -> list[Any]:
        import keras

        class Stop(keras.callbacks.Callback):  # type: ignore[misc]
            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                self.model.stop_training = epoch + 1 >= counts.setdefault(id(self), 1 + len(counts) % 3)

        return [Stop()]

    counts: dict[int, int] = {}
    trainer = of_fit(callbacks=callbacks)
    first, second = epochs(trainer, 2)
    assert second["val_loss_fold_0"] == first["val_loss_fold_0"] and not trainer.stopped
    assert second["val_loss_fold_2"] != first["val_loss_fold_2"]
    data = trainer.snapshot().to_bytes()
    assert len(data) > 0
    trainer.train_epoch()
    assert trainer.stopped.startswith("each of 3 folds ended itself; the last: Stop ended it after epoch 3")


def test_checkpoints_that_do_not_fit() -> None:
    trainer, plain = of_fast(), registry.load_file(HERE / "models.py", "Small")()
    trainer.train_epoch()
    whole = trainer.snapshot().to_bytes()
    alone: Any = make_trainer(plain, plain.load_data(), "val_accuracy", "max")
    alone.start(FAST, 3)
    for wrong in (alone.snapshot().to_bytes(), whole[: len(whole) // 2]):
        with pytest.raises(CheckpointError):
            trainer.start(FAST, 3, wrong)
    with pytest.raises(CheckpointError):
        alone.start(FAST, 3, whole)
    trainer.start(FAST, 3)
    trainer.train_epoch()
