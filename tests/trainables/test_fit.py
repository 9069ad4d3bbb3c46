"""The fit path: compiled models, callbacks, data of any kind; equal warm and after a break. One process for all."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry
from trainables.contract import Data

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MODELS = Path(__file__).with_name("fit_models.py")
TRIAL = {"lr": 0.01, "width": 8, "epochs": 5}
OTHER = {"lr": 0.02, "width": 6, "epochs": 2}


MADE: list[Any] = []


@pytest.fixture(autouse=True)
def ended_trainers() -> Iterator[None]:
    """Lets trials close the files of their callbacks."""
    yield
    while MADE:
        MADE.pop().end()


def trainer_of(name: str, **members: Any) -> Any:
    """A trainer of a trainable in fit_models.py, with other members of its class."""
    from trainables.training import make_trainer

    known = registry.load_file(MODELS, name)
    trainable = type(name, (known,), members)() if members else known()
    MADE.append(make_trainer(trainable, trainable.load_data(), "val_accuracy", "max"))
    return MADE[-1]


def train(trainer: Any, epochs: int) -> list[dict[str, float]]:
    found = []
    for _ in range(epochs):
        if not trainer.stopped:
            found.append({**trainer.train_epoch().metrics, "epoch_s": 0.0})
    return found


def state(snapshot: Any) -> dict[str, bytes]:
    """Of a checkpoint all arrays; the state of callbacks as text."""
    with np.load(io.BytesIO(snapshot.to_bytes())) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


@pytest.mark.parametrize(
    "name", ["Compiled", "WithCallbacks", "Uncompiled", "Python", "Batched", "Generated", "Custom", "Tuned"]
)
def test_a_trial_is_the_same_warm_and_after_a_break(name: str) -> None:
    params = {**TRIAL, "learning_rate": 0.01} if name == "Uncompiled" else TRIAL
    params = {key: value for key, value in params.items() if name != "Uncompiled" or key != "lr"}
    other = {**params, "width": 6}
    trainer = trainer_of(name)
    trainer.start(params, 3)
    assert trainer.path == "fit" and trainer.why
    straight = train(trainer, 2)
    half = trainer.snapshot().to_bytes()
    straight += train(trainer, 2)
    whole, tested = state(trainer.snapshot()), trainer.test_metrics()
    trainer.start(other, 9)
    train(trainer, 1)
    trainer.start(params, 3)
    assert train(trainer, 4) == straight and state(trainer.snapshot()) == whole
    fresh = trainer_of(name)
    fresh.start(other, 9)
    train(fresh, 1)
    fresh.start(params, 3, half)
    assert fresh.epoch == 2 and train(fresh, 2) == straight[2:]
    assert state(fresh.snapshot()) == whole and fresh.test_metrics() == tested


def test_callbacks_get_every_event_once_in_keras_order_and_resume_where_they_were() -> None:
    import keras

    trainer = trainer_of("WithCallbacks")
    events = sys.modules[registry.load_file(MODELS, "WithCallbacks").__module__].Events
    trainer.start({**TRIAL, "epochs": 3, "patience": 9}, 3)
    train(trainer, 2)
    half = trainer.snapshot().to_bytes()
    train(trainer, 1)
    seen = trainer._fit._trial.callbacks.callbacks[0].seen
    trainable = registry.load_file(MODELS, "Compiled")()
    model = trainable.build_model(trainable.Params())
    plain = events()
    (x, y), validation = trainable.load_data().train, trainable.load_data().validation
    others = [keras.callbacks.ReduceLROnPlateau(patience=1), plain]
    model.fit(x, y, validation_data=validation, epochs=3, callbacks=others, verbose=0)
    assert [line.partition(" end [")[0] for line in seen] == [line.partition(" end [")[0] for line in plain.seen]
    trainer.start({**TRIAL, "epochs": 3, "patience": 9}, 3, half)
    train(trainer, 1)
    assert trainer._fit._trial.callbacks.callbacks[0].seen == seen


def test_early_stopping_ends_the_trial_with_its_reason_and_a_break_changes_nothing(tmp_path: Path) -> None:
    trainer = trainer_of("Rises")
    trainer.place(str(tmp_path / "a"), 1)
    trainer.start({**TRIAL, "epochs": 40}, 3)
    assert trainer.epoch_examples == trainer.trial.train.source.num_examples > 0
    epochs, half = [], b""
    while not trainer.stopped:
        epochs += train(trainer, 1)
        half = half if trainer.stopped else trainer.snapshot().to_bytes()
    assert 2 <= len(epochs) < 40 and trainer.stopped == f"EarlyStopping ended it after epoch {len(epochs)}"
    with pytest.raises(RuntimeError, match="ended itself"):
        trainer.train_epoch()
    rates = [epoch["learning_rate"] for epoch in epochs]
    assert rates[-1] < rates[0] == pytest.approx(0.01)
    [note] = trainer.take_notes()
    assert str(tmp_path / "a" / "log.csv") in note
    rows = list(csv.DictReader((tmp_path / "a" / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(len(epochs))]
    trainer.start({**TRIAL, "epochs": 40}, 3, half)
    assert train(trainer, 40) == epochs[-1:] and trainer.stopped
    assert len((tmp_path / "a" / "log.csv").read_text().splitlines()) == 1 + len(epochs)
    assert (tmp_path / "a" / "best.weights.h5").exists()


def test_what_is_used_is_told_and_what_is_read() -> None:
    trainer = trainer_of("Compiled")
    trainer.start({**TRIAL, "unused": 3.0}, 3)
    assert trainer.used == {"learning_rate": 0.01, "batch_size": 32, "epochs": 5}
    assert trainer.params_read == {"lr", "width"} and trainer.compiles
    trainer = trainer_of("Batched")
    trainer.start(TRIAL, 3)
    assert trainer.used["batch_size"] == 25
    trainer = trainer_of("Custom")
    trainer.start(TRIAL, 3)
    assert "learning_rate" not in trainer.used  # which of the two optimizers' is nobody's guess


def test_validation_that_is_left_out_keeps_the_last_values() -> None:
    trainer = trainer_of("Uncompiled")
    trainer.start({"learning_rate": 0.01, "epochs": 5}, 3)
    values = [epoch["val_loss"] for epoch in train(trainer, 5)]
    assert values[1] == values[2] != values[3] == values[4] != values[0]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"fit_options": {"epochs": 3}}, "fit_options must not have epochs: the spec's epochs.max says it"),
        ({"fit_options": {"stepsperepoch": 3}}, "fit_options must be among .* but got 'stepsperepoch'"),
        ({"fit_options": 3}, "fit_options must be a dict of fit's arguments, but got int"),
        ({"class_weight": [1, 2]}, "class_weight must be a dict of class numbers to weights"),
        ({"callbacks": lambda self, params: [3]}, "callbacks must be Keras callbacks, but got int"),
    ],
)
def test_what_cannot_be_followed_is_one_line(members: dict[str, Any], message: str) -> None:
    trainer = trainer_of("Compiled", **members)
    with pytest.raises(ValueError, match=message):
        trainer.start(TRIAL, 3)


def test_backup_and_restore_is_refused_and_state_that_cannot_be_kept_is_named() -> None:
    import keras

    trainer = trainer_of("Compiled", callbacks=lambda self, params: [keras.callbacks.BackupAndRestore("x")])
    with pytest.raises(ValueError, match="BackupAndRestore, which fights with the sweep's own checkpoints"):
        trainer.start(TRIAL, 3)

    class Iterates(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.rows = iter([1, 2, 3])

    trainer = trainer_of("Compiled", callbacks=lambda self, params: [Iterates()])
    trainer.start(TRIAL, 3)
    train(trainer, 1)
    with pytest.raises(ValueError, match=r"callback Iterates holds rows \(list_iterator\), which no checkpoint"):
        trainer.snapshot()


def test_a_generator_is_refused_and_weights_count() -> None:
    known = registry.load_file(MODELS, "Generated")
    from trainables.contract import DataError
    from trainables.training import make_trainer

    trainable = known()
    data = trainable.load_data()
    trainer = make_trainer(trainable, Data((row for row in ()), data.validation), "val_accuracy", "max")
    with pytest.raises(DataError, match="a generator is read once: give the function that makes it"):
        trainer.start(TRIAL, 3)
    found = []
    for weights in (None, np.linspace(0, 5, 300)):
        options = {} if weights is None else {"fit_options": {"sample_weight": weights}}
        trainer = trainer_of("Compiled", **options)
        trainer.start(TRIAL, 3)
        found.append(train(trainer, 1)[0]["loss"])
    assert found[1] > 1.5 * found[0]


def test_the_path_and_its_reason(make_trainer: Callable[..., Any]) -> None:
    from trainables.training import training_path

    assert training_path(registry.load_file(MODELS, "WithCallbacks")) == ("fit", "the trainable has callbacks")
    path, why = training_path(registry.load_file(MODELS.with_name("models.py"), "Small"))
    assert path == "fast" and why.startswith("one graph an epoch")
