"""An epoch of 12,000 MNIST images on one core, batches of 32 and 256: `model.fit` against both training paths.

The sides alternate within each of five rounds; prints the median seconds of each and the median of the rounds' ratios.
"""

from __future__ import annotations

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

ROUNDS, IMAGES = 5, 12_000


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
        fit_s, ours_s, path_s = [], [], []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            model.fit(x, y, batch_size=batch_size, verbose=0)
            fit_s.append(time.perf_counter() - began)
            ours_s.append(trainer.train_epoch().epoch_s)
            path_s.append(through_fit.train_epoch().epoch_s)
        for name, seconds in (("fast", ours_s), ("fit", path_s)):
            ratio = statistics.median(a / b for a, b in zip(fit_s, seconds, strict=True))
            plain, ours = statistics.median(fit_s), statistics.median(seconds)
            path = f"{name} path {ours:.3f} s with validation"
            print(f"batch {batch_size}: plain fit {plain:.3f} s, {path}, plain / path {ratio:.1f}")


if __name__ == "__main__":
    main()
