"""One card: an epoch against `model.fit`, with and without XLA; 1, 2, 4 and 8 trials packed on it, and their memory.

    python tests/benchmarks/gpu.py                              # a card, less than eight minutes
    python tests/benchmarks/gpu.py --devices cpu --packed 1,2   # the same code without a card

Data are random, so nothing is downloaded. Prints the medians of alternating rounds, then for each number of packed
trials the epochs a second of all of them, and on a card the memory that each took and its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROUNDS = 5
EXAMPLES = {"dense": 20_000, "conv": 4_000}
BATCH_SIZE = 128
PACKED_S = 8.0


def trainable_of(kind: str, examples: int) -> Any:
    """Images of 28 x 28 and ten classes, and a model of this kind."""
    import keras
    import numpy as np

    from trainables.contract import Data, Trainable

    class Images(Trainable):
        loss = "sparse_categorical_crossentropy"
        metrics = ("accuracy",)

        def load_data(self) -> Data:
            draws = np.random.default_rng(0)
            x = draws.random((examples, 28, 28, 1), np.float32)
            y = draws.integers(0, 10, examples)
            return Data((x, y), (x[: examples // 10], y[: examples // 10]))

        def build_model(self, params: Any) -> Any:
            layers = keras.layers
            hidden = [layers.Flatten(), layers.Dense(512, "relu"), layers.Dropout(0.2), layers.Dense(256, "relu")]
            if kind == "conv":
                hidden = [layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(), layers.BatchNormalization()]
                hidden += [layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()]
            return keras.Sequential([keras.Input((28, 28, 1)), *hidden, layers.Dense(10, "softmax")])

    return Images()


def trainer_of(kind: str, examples: int, jit: Any) -> Any:
    from trainables.training import WarmTrainer

    trainable = trainable_of(kind, examples)
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max", jit_compile=jit)
    trainer.start({"batch_size": BATCH_SIZE}, 1)
    trainer.train_epoch()
    return trainer


def compare_epochs(kind: str, examples: int) -> None:
    """Prints the seconds of an epoch of `fit` and of the fast path, and what `auto` chooses."""
    import keras

    trainable = trainable_of(kind, examples)
    data = trainable.load_data()
    model = trainable.build_model(None)
    model.compile(keras.optimizers.Adam(0.001), loss=trainable.loss, metrics=["accuracy"], jit_compile=False)

    def fit() -> float:
        began = time.perf_counter()
        model.fit(*data.train, batch_size=BATCH_SIZE, validation_data=data.validation, verbose=0)
        return time.perf_counter() - began

    fit()
    plain, xla = (trainer_of(kind, examples, jit) for jit in (False, True))
    rounds = [(fit(), plain.train_epoch().epoch_s, xla.train_epoch().epoch_s) for _ in range(ROUNDS)]
    of_fit, without, with_xla = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"{kind}, an epoch of {examples} images: fit {of_fit:.3f} s, one graph {without:.3f} s, "
        f"with XLA {with_xla:.3f} s"
    )
    auto = trainer_of(kind, examples, "auto")
    print(f"{kind}: auto {'takes' if auto.jit else 'does not take'} XLA; it was timed: {auto.choice}")


def train_packed(share: float, examples: int) -> None:
    """A packed trial, in a process as a worker has it: says that it is ready, and trains when it is told to."""
    from trainables.process import set_up_process
    from tuner.worker.gpus import environment
    from tuner.worker.training import _gpus

    os.environ.update(environment(share))
    set_up_process(1)
    notes: list[str] = []
    names = _gpus(share, notes)
    trainer = trainer_of("conv", examples, False)
    print("ready", flush=True)
    sys.stdin.readline()
    epochs, began = 0, time.perf_counter()
    while time.perf_counter() - began < PACKED_S:
        trainer.train_epoch()
        epochs += 1
    print(json.dumps({"epochs": epochs, "seconds": time.perf_counter() - began, **memory(bool(names)), "notes": notes}))


def memory(has_card: bool) -> dict[str, float]:
    """What TensorFlow took of the card at most, and may take; without a card, what the process has for itself."""
    if not has_card:
        import psutil

        return {"private_mb": psutil.Process().memory_full_info().uss / 2**20}
    import tensorflow as tf

    taken = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    [limits] = [tf.config.get_logical_device_configuration(card) for card in tf.config.list_physical_devices("GPU")[:1]]
    return {"taken_mb": taken, "limit_mb": limits[0].memory_limit if limits else 0}


def pack(count: int, share: float, examples: int) -> None:
    """Trains so many trials at once, and prints what all of them did."""
    command = [sys.executable, __file__, "--child", str(share), "--examples", str(examples)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(count)]  # type: ignore[call-overload]
    try:
        for child in children:
            if child.stdout.readline().strip() != "ready":
                raise SystemExit(f"{count} packed trials: one could not start; see above")
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        found = [json.loads(child.communicate()[0]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    speed = sum(one["epochs"] / one["seconds"] for one in found)
    if "taken_mb" in found[0]:
        held = all(one["taken_mb"] <= one["limit_mb"] or not one["limit_mb"] for one in found)
        most = max(one["taken_mb"] for one in found)
        text = f"at most {most:.0f} MiB each, limit {found[0]['limit_mb']:.0f} MiB, {'held' if held else 'NOT HELD'}"
    else:
        text = f"private memory at most {max(one['private_mb'] for one in found):.0f} MiB each"
    notes = "; ".join(dict.fromkeys(note for one in found for note in one["notes"]))
    print(f"{count} packed: {speed:.2f} epochs a second in all; {text}{f' ({notes})' if notes else ''}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--packed", default="1,2,4,8", help="numbers of trials at a time")
    parser.add_argument("--examples", type=int, help="images; default: 20,000 for dense and 4,000 for conv models")
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        train_packed(asked.child, asked.examples)
        return
    is_cpu = asked.devices == "cpu"
    examples = {kind: asked.examples or count for kind, count in EXAMPLES.items()}
    for count in map(int, asked.packed.split(",")):  # before this process takes memory of the card
        pack(count, 0.0 if is_cpu else 1 / count, examples["conv"])
    from trainables.process import set_up_process
    from tuner.worker.gpus import environment

    os.environ.update(environment(0 if is_cpu else 1))
    set_up_process(1)
    import tensorflow as tf

    if not is_cpu and not tf.config.list_physical_devices("GPU"):
        raise SystemExit("TensorFlow sees no GPU here; --devices cpu runs without one")
    for kind, count in examples.items():
        compare_epochs(kind, count)


if __name__ == "__main__":
    main()
