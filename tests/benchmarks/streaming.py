"""Examples streamed from disk against the same examples in memory, and streamed under a limit of memory.

    python tests/benchmarks/streaming.py                # seconds an epoch, in memory and streamed, in turn
    python tests/benchmarks/streaming.py --limit-mib 512  # three times as many decoded bytes as the process may take

The limit is on the memory that the process itself takes (RLIMIT_DATA), beyond what it has with TensorFlow imported.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 64
EXAMPLE_BYTES = SIZE * SIZE * 3 * 4


def write(path: Path, count: int) -> None:
    from trainables.framework_imports import import_tensorflow_quietly

    import_tensorflow_quietly()
    import tensorflow as tf

    rng = np.random.default_rng(0)
    with tf.io.TFRecordWriter(str(path)) as file:
        for number in range(count):
            pixels = rng.integers(0, 120, (SIZE, SIZE, 3), np.uint8) + np.uint8(100 * (number % 2))
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[pixels.tobytes()])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 2])),
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def train(path: str, is_streamed: bool, limit_bytes: int, epochs: int) -> None:
    """Prints the seconds of the fastest epoch."""
    from trainables.framework_imports import import_tensorflow_quietly

    import_tensorflow_quietly()
    import keras
    import tensorflow as tf

    from trainables import Data, Trainable
    from trainables.training import WarmTrainer

    tf.config.threading.set_inter_op_parallelism_threads(2)
    if limit_bytes:
        lines = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmData")) << 10
        resource.setrlimit(resource.RLIMIT_DATA, (own + limit_bytes, own + limit_bytes))

    class Images(Trainable):
        loss = "sparse_categorical_crossentropy"
        metrics = ("accuracy",)

        def load_data(self) -> Data:
            return Data.from_tfrecord(
                path,
                "label",
                decode=lambda f: tf.cast(
                    tf.reshape(tf.io.decode_raw(f["image"], tf.uint8), [SIZE, SIZE, 3]), tf.float32
                ),
                in_memory_bytes=1 if is_streamed else 2**40,
            )

        def build_model(self, params: Any) -> keras.Model:
            return keras.Sequential(
                [
                    keras.Input((SIZE, SIZE, 3)),
                    keras.layers.Rescaling(1 / 255),
                    keras.layers.Conv2D(16, 3, activation="relu"),
                    keras.layers.MaxPooling2D(),
                    keras.layers.Conv2D(32, 3, strides=2, activation="relu"),
                    keras.layers.GlobalAveragePooling2D(),
                    keras.layers.Dense(2, activation="softmax"),
                ]
            )

    trainable = Images()
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max")
    trainer.start({"learning_rate": 0.001, "batch_size": 64, "epochs": epochs}, seed=1)
    seconds = []
    for _ in range(epochs):
        begun = time.perf_counter()
        trainer.train_epoch()
        seconds.append(time.perf_counter() - begun)
    print(f"{min(seconds):.3f}")


def run(path: Path, cache: Path, *arguments: str) -> str:
    """The seconds of a training in a process of its own, or how it failed."""
    command = [sys.executable, __file__, "--path", str(path), *arguments]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
    return done.stdout.strip() if done.returncode == 0 else f"failed: {lines[-1][:100] if lines else done.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--limit-mib", type=int, default=0)
    parser.add_argument("--examples", type=int, default=6000)
    parser.add_argument("--path")
    parser.add_argument("--streamed", action="store_true")
    asked = parser.parse_args()
    if asked.path:
        train(asked.path, asked.streamed, asked.limit_mib << 20, 2 if asked.limit_mib else 6)
        return
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder, "images.tfrecord"), Path(folder, "cache")
        count = (3 * asked.limit_mib << 20) // EXAMPLE_BYTES if asked.limit_mib else asked.examples
        write(path, count)
        print(f"{count} examples, {count * EXAMPLE_BYTES >> 20} MiB decoded")
        limit = ["--limit-mib", str(asked.limit_mib)] if asked.limit_mib else []
        for _ in range(1 if limit else 3):
            print("in memory, s an epoch:", run(path, cache, *limit))
            print("streamed,  s an epoch:", run(path, cache, "--streamed", *limit))


if __name__ == "__main__":
    main()
