"""The recipes that fine-tuning is compared by, on few labelled digits: the trainable, plain Keras, and from scratch."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data import digits
from trainables.vision import bases

EPOCHS, HEAD_EPOCHS = 20, 5
TRIAL = {
    "learning_rate": 0.01, "base_learning_rate": 0.002, "batch_size": 16, "epochs": EPOCHS, "head_epochs": HEAD_EPOCHS,
    "dropout": 0.0,
}  # fmt: skip


def write(folder: Path, labels: int) -> None:
    """The base that comes with Tuner, and digits as images (28, 28): few to train on, all to validate with."""
    import keras

    shutil.copy(bases.SMALL_FILE, folder / "base.keras")
    data = digits()

    def images(x: Any) -> Any:
        return np.asarray(keras.ops.image.resize(x.reshape(-1, 8, 8, 1), (28, 28)))

    arrays = {"x_train": images(data.train[0])[:labels], "y_train": data.train[1][:labels]}
    np.savez(folder / "few.npz", **arrays, x_val=images(data.validation[0]), y_val=data.validation[1])


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
