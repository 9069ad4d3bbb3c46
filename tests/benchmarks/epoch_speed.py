"""An epoch of 12,000 MNIST images on one core, batches of 32 and 256: `model.fit` and a loop by hand against our paths.

The loop by hand is an epoch in one `tf.function` over arrays on the device, with Keras's Adam, and validates nothing;
the paths' epochs validate 128 images. The sides alternate within each of five rounds; prints the median seconds of each
and the median of the rounds' ratios.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

ROUNDS, IMAGES = 5, 12_000


def by_hand(model: Any, x: Any, y: Any, batch_size: int) -> Callable[[], float]:
    """An epoch as somebody writes it who knows TensorFlow; returns its loss."""
    import keras
    import tensorflow as tf

    images, labels = tf.constant(x), tf.constant(y)
    loss_of, optimizer = keras.losses.SparseCategoricalCrossentropy(), keras.optimizers.Adam(0.001)
    loss_mean, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()
    optimizer.build(model.trainable_variables)

    @tf.function
    def epoch() -> None:
        order = tf.random.shuffle(tf.range(len(images)))
        for start in tf.range(0, len(images), batch_size):
            rows = order[start : start + batch_size]
            image, label = tf.gather(images, rows), tf.gather(labels, rows)
            with tf.GradientTape() as tape:
                predicted = model(image, training=True)
                loss = loss_of(label, predicted)
            optimizer.apply_gradients(
                zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
            )
            loss_mean.update_state(loss)
            accuracy.update_state(label, predicted)

    def run() -> float:
        loss_mean.reset_state()
        accuracy.reset_state()
        epoch()
        return float(loss_mean.result())

    return run


def main() -> None:
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from trainables.contract import Data
    from trainables.mnist_dense import MnistDense
    from trainables.training import WarmTrainer
    from trainables.training.fit.trainer import FitTrainer

    trainable = MnistDense()
    data = trainable.load_data()
    (x, y), small = (part[:IMAGES] for part in data.train), tuple(part[:128] for part in data.validation)
    trainer = WarmTrainer(trainable, Data(train=(x, y), validation=small), "val_accuracy", "max")
    through_fit = FitTrainer(trainable, Data(train=(x, y), validation=small), "val_accuracy", "max")
    for batch_size in (32, 256):
        params = {"batch_size": batch_size, "learning_rate": 0.001, "epochs": ROUNDS + 1, "train_size": IMAGES}
        model = trainable.build_model(trainable.Params(**params))
        model.compile(keras.optimizers.Adam(0.001), loss=trainable.loss, metrics=list(trainable.metrics))
        model.fit(x, y, batch_size=batch_size, verbose=0)
        trainer.start(params, seed=batch_size)
        trainer.train_epoch()
        through_fit.start({**params, "epochs": ROUNDS + 2}, seed=batch_size)
        through_fit.train_epoch()
        loop = by_hand(trainable.build_model(trainable.Params(**params)), x, y, batch_size)
        loop()
        fit_s, ours_s, path_s, loop_s = [], [], [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            model.fit(x, y, batch_size=batch_size, verbose=0)
            fit_s.append(time.perf_counter() - began)
            ours_s.append(trainer.train_epoch().epoch_s)
            path_s.append(through_fit.train_epoch().epoch_s)
            began = time.perf_counter()
            loop()
            loop_s.append(time.perf_counter() - began)
        for name, seconds in (("fast", ours_s), ("fit", path_s)):
            ratio = statistics.median(a / b for a, b in zip(fit_s, seconds, strict=True))
            plain, ours = statistics.median(fit_s), statistics.median(seconds)
            path = f"{name} path {ours:.3f} s with validation"
            print(f"batch {batch_size}: plain fit {plain:.3f} s, {path}, plain / path {ratio:.1f}")
        ratio = statistics.median(a / b for a, b in zip(ours_s, loop_s, strict=True))
        print(f"batch {batch_size}: by hand {statistics.median(loop_s):.3f} s, fast path / by hand {ratio:.2f}")


if __name__ == "__main__":
    main()
