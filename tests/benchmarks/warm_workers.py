"""The same 16 MNIST configurations, 3 epochs each, on 2 slots: stock Ray Tune with its MLflow callback against Tuner.

Both sides start from nothing (Ray included), use one thread a trial and record to a new SQLite store. Prints wall
seconds, seconds inside training, and the ratio of the walls. With the argument `stock-first` stock begins.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRIALS, EPOCHS, SLOTS = 16, 3, 2
CHANGES = {
    "num_trials": TRIALS,
    "epochs.max": EPOCHS,
    "search.algorithm": "random",
    "early_stopping.algorithm": "none",
    "name": "bench",
}

STOCK = """
import sys, json, os
os.environ["OMP_NUM_THREADS"] = "1"
import ray
from ray import tune
from ray.air.integrations.mlflow import MLflowLoggerCallback

configs = json.loads(sys.argv[1])

def train(config):
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import keras, numpy as np
    p = configs[config["index"]]
    with np.load(os.path.join(os.environ["TUNER_DATA_DIR"], "mnist.npz")) as f:
        x, y = f["x_train"].astype("float32") / 255, f["y_train"].astype("int32")
    rate = p["learning_rate"]
    if p["schedule"] == "exponential":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, 1000, p["decay_rate"], staircase=True)
    model = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(128, activation="relu"),
                              keras.layers.Dropout(0.2), keras.layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tune.report(dict(logs)))
    model.fit(x[:55000], y[:55000], batch_size=p["batch_size"], epochs=p["epochs"], verbose=0,
              validation_data=(x[55000:], y[55000:]), callbacks=[report])

ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
callback = MLflowLoggerCallback(tracking_uri=f"sqlite:///{sys.argv[2]}/mlflow.db", experiment_name="bench")
results = tune.Tuner(
    tune.with_resources(train, {"cpu": 1}),
    param_space={"index": tune.grid_search(list(range(len(configs))))},
    run_config=tune.RunConfig(storage_path=sys.argv[2], verbose=0, callbacks=[callback]),
).fit()
assert len(results) == len(configs) and not results.errors, results.errors
print(max(result.metrics["val_accuracy"] for result in results))
"""


def configurations() -> list[dict[str, object]]:
    """What the seed of the default sweep gives; both sides train exactly these."""
    from trainables import registry
    from tuner.policy import Policy
    from tuner.spec import load_spec

    spec = load_spec(registry.default_sweep("mnist-dense"), [f"{k}={v}" for k, v in CHANGES.items()])
    policy = Policy(spec.search_settings)
    asked = (policy.ask() for _ in range(TRIALS))
    return [{"batch_size": 32, **new.params, "epochs": new.epochs} for new in asked if new is not None]


def stock(folder: Path) -> float:
    began = time.perf_counter()
    code = [sys.executable, "-c", STOCK, json.dumps(configurations()), str(folder)]
    done = subprocess.run(code, capture_output=True, text=True, env={**os.environ, "RAY_TRAIN_V2_ENABLED": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"stock: {time.perf_counter() - began:.1f} s, best val_accuracy {float(done.stdout.split()[-1]):.4f}")
    return time.perf_counter() - began


def tuner(folder: Path) -> float:
    began = time.perf_counter()
    changes = [part for name, value in CHANGES.items() for part in ("--set", f"{name}={value}")]
    command = [
        sys.executable,
        "-m",
        "tuner.cli.main",
        "run",
        "mnist-dense",
        "--storage",
        str(folder),
        "--json",
        *changes,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["epochs"] == TRIALS * EPOCHS
    seconds = time.perf_counter() - began
    best = shown["best"]["value"]
    print(f"tuner: {seconds:.1f} s, {shown['training_s'] / SLOTS:.1f} s a slot training, best val_accuracy {best:.4f}")
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        if sys.argv[1:] == ["stock-first"]:
            stock_s, tuner_s = stock(Path(first)), tuner(Path(second))
        else:
            tuner_s, stock_s = tuner(Path(first)), stock(Path(second))
    print(f"stock / tuner: {stock_s / tuner_s:.2f}")


if __name__ == "__main__":
    main()
