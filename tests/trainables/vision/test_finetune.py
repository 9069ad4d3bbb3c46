"""Fine-tuning of a base that was pretrained on Fashion-MNIST: better than from scratch, and as good as by hand."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.vision import bases

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
LABELS, EPOCHS, HEAD_EPOCHS = 200, 20, 5
TRIAL = {
    "learning_rate": 0.01, "base_learning_rate": 0.002, "batch_size": 16, "epochs": EPOCHS, "head_epochs": HEAD_EPOCHS,
    "dropout": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base that comes with Tuner, and digits as images (28, 28): few to train on, all to validate with."""
    import keras

    from trainables.data import digits

    folder = tmp_path_factory.mktemp("files")
    shutil.copy(bases._SMALL_FILE, folder / "base.keras")
    data = digits()

    def images(x: Any) -> Any:
        return np.asarray(keras.ops.image.resize(x.reshape(-1, 8, 8, 1), (28, 28)))

    arrays = {"x_train": images(data.train[0])[:LABELS], "y_train": data.train[1][:LABELS]}
    np.savez(folder / "few.npz", **arrays, x_val=images(data.validation[0]), y_val=data.validation[1])
    return folder


@pytest.fixture
def trainer(files: Path) -> Iterator[Any]:
    yield new_trainer(files)


def new_trainer(files: Path) -> Any:
    from trainables.finetune_image import FinetuneImage
    from trainables.training import WarmTrainer

    trainable = FinetuneImage(str(files / "few.npz"))
    trainable.fixed_params = {"base": str(files / "base.keras")}
    return WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max")


def trained(trainer: Any, seed: int, epochs: int = EPOCHS, **changes: Any) -> float:
    trainer.start({**TRIAL, "base": trainer._trainable.base.name, **changes}, seed)
    for _ in range(epochs):
        trainer.train_epoch()
    return float(trainer.best_value)


def by_hand(files: Path, seed: int) -> float:
    """The same recipe in plain Keras: a head alone, then all of it at the base's rate."""
    import keras

    keras.utils.set_random_seed(seed)
    with np.load(files / "few.npz") as arrays:
        train, validation = (arrays["x_train"], arrays["y_train"]), (arrays["x_val"], arrays["y_val"])
    base = keras.saving.load_model(files / "base.keras")
    base.trainable = False
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
    best = 0.0
    for trainable, rate, epochs in ((False, 0.01, HEAD_EPOCHS), (True, 0.002, EPOCHS - HEAD_EPOCHS)):
        base.trainable = trainable
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(*train, validation_data=validation, batch_size=16, epochs=epochs, verbose=0)
        best = max(best, *history.history["val_accuracy"])
    return best


def from_scratch(trainer: Any, seed: int) -> float:
    """The same model with new weights, all of which learn from the first epoch on at the better of two rates."""
    from dataclasses import replace

    ((key, kept),) = bases._loaded.items()
    rng = np.random.default_rng(seed)
    new = [rng.normal(0, (2 / np.prod(v.shape[:-1])) ** 0.5, v.shape) if v.ndim == 4 else v for v in kept.values]
    statistics = [
        np.ones_like(v) if i % 5 in (1, 4) else np.zeros_like(v) if v.ndim == 1 else v for i, v in enumerate(new)
    ]
    bases._loaded[key] = replace(kept, values=statistics)
    try:
        rates = [{"learning_rate": rate, "base_learning_rate": rate} for rate in (0.002, 0.01)]
        return max(trained(trainer, seed, head_epochs=0, **rate) for rate in rates)
    finally:
        bases._loaded[key] = kept


def test_it_beats_a_training_from_scratch_and_is_as_good_as_by_hand(files: Path, trainer: Any) -> None:
    seeds = range(2)
    tuned = [trained(trainer, seed, head_factor=0.2) for seed in seeds]
    assert trainer.traces == 3, "one of each phase, and of the validation"
    scratch = [from_scratch(trainer, seed) for seed in seeds]
    hand = [by_hand(files, seed) for seed in seeds]
    assert np.mean(tuned) > np.mean(scratch) + 0.2
    assert np.mean(tuned) == pytest.approx(np.mean(hand), abs=0.12)


def test_the_same_trial_twice_and_after_a_break(files: Path, trainer: Any) -> None:
    changes = {"flip": 0.5, "rotation": 0.1, "zoom": 0.2, "contrast": 0.3, "dropout": 0.2, "layer_decay": 0.5}
    trained(trainer, 1, HEAD_EPOCHS + 1, **changes)
    whole = trainer.snapshot()
    again = new_trainer(files)
    trained(again, 1, HEAD_EPOCHS, **changes)
    broken = again.snapshot().to_bytes()
    again.train_epoch()
    assert all(map(np.array_equal, whole.values, again.snapshot().values)), "in another trainer"
    traces = trainer.traces
    numbers = {"rotation": 0.2, "layer_decay": 0.9, "head_epochs": 1, "base_learning_rate": 0.1, "batch_size": 8}
    trained(trainer, 2, 2, **{**changes, **numbers})
    trainer.start({**TRIAL, "base": trainer._trainable.base.name, **changes}, 1, broken)
    trainer.train_epoch()
    assert trainer.traces == traces, "no number retraces"
    assert all(map(np.array_equal, whole.values, trainer.snapshot().values)), "after a break between phases"
    restored = trainer.best_model()
    assert [layer.name for layer in restored.layers][-1] == "head"
