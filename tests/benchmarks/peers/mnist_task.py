"""The task that all peers solve: a dense network on 12,000 images of MNIST, at most 9 epochs a trial.

The same data, model, space and rungs as Tuner's side. The peers' scripts import this module from their own folder, in
whatever environment they run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

METRIC, MODE = "val_accuracy", "max"
REDUCTION_FACTOR = 3
NUM_IMAGES, NUM_VALIDATION = 12_000, 5_000
LEARNING_RATE, DECAY_RATE = (1e-4, 1e-1), (0.1, 0.9)
BATCH_SIZES = [32, 64, 128, 256]
SCHEDULES = ["constant", "exponential"]
DECAY_STEPS = 1_000


def options() -> argparse.Namespace:
    """What the benchmark asks of each peer's script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mnist", required=True, help="the file mnist.npz")
    parser.add_argument("--folder", required=True, help="where the peer keeps its files")
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def tell(trials: int, epochs: int, best: float) -> None:
    """Prints what was done, as the script's last line."""
    print(json.dumps({"trials": trials, "epochs": epochs, "best": best}))
    sys.stdout.flush()


def use_threads(count: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def data(mnist: str) -> tuple[Any, Any]:
    """(x, y) to train on, and (x, y) to validate on."""
    import numpy as np

    with np.load(mnist) as file:
        x, y = file["x_train"].astype("float32") / 255, file["y_train"].astype("int32")
    return (x[:NUM_IMAGES], y[:NUM_IMAGES]), (x[-NUM_VALIDATION:], y[-NUM_VALIDATION:])


def network() -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def compiled(learning_rate: float, schedule: str, decay_rate: float | None, **more: Any) -> Any:
    import keras

    rate: Any = learning_rate
    if schedule == "exponential":
        rate = keras.optimizers.schedules.ExponentialDecay(learning_rate, DECAY_STEPS, decay_rate, staircase=True)
    model = network()
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"], **more)
    return model


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
