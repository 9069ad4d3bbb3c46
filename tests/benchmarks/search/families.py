"""Families of networks whose learning curves the search benchmark knows: small Keras trainables and their spaces.

Architectures come from short lists, so that a process trains many configurations with few traces; what never retraces
(learning rate, batch size, schedule) is continuous. TUNED_ON are the families that the policy was tuned
on, REPORTED_ON those that were kept for reporting.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from trainables import data as data_sets
from trainables.contract import Data, Trainable
from trainables.contract import Params as TrainingParams
from tuner.spec.space import Space

if TYPE_CHECKING:
    import keras

EPOCHS = 27
NUM_CONFIGURATIONS = 700
FASHION_FOLDER = Path(os.environ.get("FASHION_MNIST_DIR", "/usr/share/datasets/fashion-mnist"))
"""Debian's package dataset-fashion-mnist puts it there."""

RATE = {"low": 1e-4, "high": 1e-1, "scale": "log"}
SCHEDULE = {
    "schedule": {"choices": ["constant", "exponential", "cosine"]},
    "decay_rate": {"low": 0.05, "high": 0.95, "when": {"schedule": "exponential"}},
    "decay_steps": {"low": 20, "high": 500, "scale": "log", "when": {"schedule": "exponential"}},
}
BATCH = {"choices": [16, 32, 64, 128, 256]}


class _Params(TrainingParams):
    units: int = Field(64, ge=1)
    depth: int = Field(1, ge=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    activation: str = "relu"


class _Network(Trainable):
    """Dense or convolutional layers; what differs between the families is data, loss and space."""

    loss: Any = "sparse_categorical_crossentropy"
    metrics: Any = ("accuracy",)
    outputs = 10
    Params = _Params

    def build_model(self, params: Any) -> keras.Model:
        import keras

        model = keras.Sequential([keras.layers.Flatten()])
        for _ in range(params.depth):
            model.add(keras.layers.Dense(params.units, activation=params.activation))
            model.add(keras.layers.Dropout(params.dropout))
        model.add(keras.layers.Dense(self.outputs, activation="softmax" if self.outputs > 1 else "linear"))
        return model


class _Convolutional(_Network):
    def build_model(self, params: Any) -> keras.Model:
        import keras

        model = keras.Sequential()
        for layer in range(params.depth):
            filters = params.units * (1 + layer)
            model.add(keras.layers.Conv2D(filters, 3, strides=1 + (layer > 0), activation="relu", padding="same"))
        model.add(keras.layers.GlobalAveragePooling2D())
        model.add(keras.layers.Dropout(params.dropout))
        model.add(keras.layers.Dense(10, activation="softmax"))
        return model


def _part(x: Any, y: Any, train: int, validation: int, seed: int = 0) -> Data:
    order = np.random.default_rng(seed).permutation(len(x))[: train + validation]
    x, y = np.asarray(x, np.float32)[order], np.asarray(y)[order]
    return Data((x[:train], y[:train]), (x[train:], y[train:]))


def _halved(images: Any) -> Any:
    """Images (n, 28, 28) as the means of 2 x 2 pixels, (n, 14, 14, 1)."""
    return np.asarray(images, np.float32).reshape(-1, 14, 2, 14, 2).mean((2, 4))[..., None]


def _fashion() -> tuple[Any, Any]:
    with gzip.open(FASHION_FOLDER / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28) / 255.0
    with gzip.open(FASHION_FOLDER / "train-labels-idx1-ubyte.gz") as file:
        return images, np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int32)


class MnistConv(_Convolutional):
    """1,500 MNIST images of 14 x 14, a small convolutional network: slow starters that win late."""

    def load_data(self) -> Data:
        x, y = data_sets.mnist().train
        return _part(_halved(x), y, 1500, 2000)


class FashionDense(_Network):
    """3,000 Fashion-MNIST images, dense layers, AdamW or SGD with momentum."""

    def load_data(self) -> Data:
        x, y = _fashion()
        return _part(_halved(x), y, 3000, 2000)


class DigitsConv(_Convolutional):
    """The 8 x 8 digits, a small convolutional network."""

    def load_data(self) -> Data:
        data = data_sets.digits()
        return Data(*((x.reshape(-1, 8, 8, 1), y) for x, y in (data.train, data.validation)))


class DigitsNoisy(_Network):
    """The digits with a third of the training labels drawn anew: what learns fast overfits, so curves cross."""

    def load_data(self) -> Data:
        data = data_sets.digits()
        (x, y), validation = data.train, data.validation
        rng = np.random.default_rng(1)
        return Data(
            (x, np.where(rng.random(len(y)) < 1 / 3, rng.integers(0, 10, len(y)), y).astype(y.dtype)), validation
        )


class Spirals(_Network):
    """Two spirals in the plane, deep narrow networks: most configurations stay at chance for long."""

    outputs = 2

    def load_data(self) -> Data:
        rng = np.random.default_rng(2)
        turn = np.sqrt(rng.random(3000)) * 3 * np.pi
        y = rng.integers(0, 2, 3000)
        sign = 1.0 - 2 * y
        x = np.stack([sign * turn * np.cos(turn), sign * turn * np.sin(turn)], 1) / 9 + rng.normal(0, 0.02, (3000, 2))
        return _part(x, y.astype(np.int32), 2000, 1000)


class Friedman(_Network):
    """Friedman's first regression problem (1991) with noise; judged by the validation loss."""

    loss, metrics, outputs = "mse", (), 1

    def load_data(self) -> Data:
        rng = np.random.default_rng(3)
        x = rng.random((2500, 10))
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
        return _part(x, ((y + rng.normal(0, 1, 2500) - 14.4) / 4.9).astype(np.float32), 1500, 1000)


class Diabetes(_Network):
    """scikit-learn's diabetes table, 442 patients: noisy and quick to overfit; judged by the validation loss."""

    loss, metrics, outputs = "mse", (), 1

    def load_data(self) -> Data:
        from sklearn.datasets import load_diabetes

        x, y = load_diabetes(return_X_y=True)
        return _part(x * 20, ((y - 152) / 77).astype(np.float32), 300, 142)


def _space(**parameters: Any) -> Space:
    return Space(parameters)


FAMILIES: dict[str, tuple[type[_Network], Space]] = {
    "mnist-conv": (
        MnistConv,
        _space(
            learning_rate=RATE,
            batch_size={"choices": [32, 64, 128]},
            **SCHEDULE,
            warmup_epochs={"low": 0, "high": 4},
            units={"low": 4, "high": 12, "step": 4},
            depth={"low": 1, "high": 2},
            dropout={"low": 0.0, "high": 0.4, "step": 0.2},
        ),
    ),
    "fashion-dense": (
        FashionDense,
        _space(
            learning_rate={"low": 1e-4, "high": 1.0, "scale": "log"},
            batch_size=BATCH,
            optimizer="sgd",
            momentum={"low": 0.0, "high": 0.98},
            **SCHEDULE,
            units={"choices": [16, 64, 128]},
            depth={"low": 1, "high": 3},
            dropout={"low": 0.0, "high": 0.4, "step": 0.2},
        ),
    ),
    "digits-conv": (
        DigitsConv,
        _space(
            learning_rate=RATE,
            batch_size=BATCH,
            optimizer={"choices": ["adam", "rmsprop"]},
            **SCHEDULE,
            units={"low": 4, "high": 20, "step": 8},
            depth={"low": 1, "high": 2},
            dropout={"low": 0.0, "high": 0.5, "step": 0.25},
        ),
    ),
    "digits-noisy": (
        DigitsNoisy,
        _space(
            learning_rate=RATE,
            batch_size=BATCH,
            optimizer="adamw",
            weight_decay={"low": 1e-4, "high": 1.0, "scale": "log"},
            **SCHEDULE,
            units={"choices": [16, 64, 256]},
            depth={"low": 1, "high": 2},
            dropout={"low": 0.0, "high": 0.6, "step": 0.2},
        ),
    ),
    "spirals": (
        Spirals,
        _space(
            learning_rate=RATE,
            batch_size={"choices": [16, 32, 64, 128]},
            optimizer="adam",
            **SCHEDULE,
            warmup_epochs={"low": 0.0, "high": 3.0},
            activation={"choices": ["relu", "tanh"]},
            units={"choices": [8, 16, 32]},
            depth={"low": 2, "high": 5},
        ),
    ),
    "friedman": (
        Friedman,
        _space(
            learning_rate={"low": 1e-4, "high": 1.0, "scale": "log"},
            batch_size=BATCH,
            optimizer={"choices": ["sgd", "adam", "rmsprop"]},
            momentum={"low": 0.0, "high": 0.95, "when": {"optimizer": "sgd"}},
            **SCHEDULE,
            units={"choices": [8, 32, 128]},
            depth={"low": 1, "high": 2},
        ),
    ),
    "diabetes": (
        Diabetes,
        _space(
            learning_rate=RATE,
            batch_size={"choices": [8, 16, 32, 64]},
            optimizer={"choices": ["adam", "adamw"]},
            weight_decay={"low": 1e-3, "high": 1.0, "scale": "log", "when": {"optimizer": "adamw"}},
            **SCHEDULE,
            units={"choices": [8, 32, 128]},
            depth={"low": 0, "high": 2},
            dropout={"low": 0.0, "high": 0.6, "step": 0.3},
        ),
    ),
}
TUNED_ON = ("fashion-dense", "digits-noisy", "spirals", "diabetes")
REPORTED_ON = ("mnist-conv", "digits-conv", "friedman")
