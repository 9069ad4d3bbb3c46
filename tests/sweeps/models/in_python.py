"""A user's script: a class in the main file, and a sweep from it. `in_python.py WHAT STORAGE [slow file]`."""

import json
import os
import signal
import sys
import threading
import time

import numpy as np

import tuner
from trainables import Data, Trainable, TrainingParams

WIDTH = 3
SLOW_WHILE = sys.argv[3] if len(sys.argv) > 3 else ""


def points(number):
    x = np.random.default_rng(0).normal(size=(number, WIDTH)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


class MyModel(Trainable):
    loss = "mse"
    metrics = ("mae",)

    class Params(TrainingParams):
        units: int = 4
        slow_while: str = ""

    def load_data(self):
        x, y = points(256)
        return Data(train=(x[:192], y[:192]), validation=(x[192:], y[192:]))

    def build_model(self, params):
        import keras
        import tensorflow as tf

        def pause():
            if params.slow_while and os.path.exists(params.slow_while):
                time.sleep(0.05)

        class Slow(keras.Sequential):
            def train_step(self, data):
                tf.py_function(pause, [], [])
                return super().train_step(data)

        layers = [keras.Input((WIDTH,)), keras.layers.Dense(params.units, activation="relu"), keras.layers.Dense(1)]
        return Slow(layers)


def run(**more):
    return tuner.run(
        trainable=MyModel,
        name="first",
        num_trials=4,
        epochs=(3, 9),
        objective=tuner.minimize("val_loss"),
        space={
            "learning_rate": tuner.Float(1e-3, 1e-1, log=True),
            "batch_size": tuner.Choice(16, 32),
            "units": tuner.Int(4, 16, step=4),
            "slow_while": SLOW_WHILE,
        },
        resources={"cpus_per_trial": 2},
        storage=sys.argv[2],
        **more,
    )


def stopped_and_resumed_beside_a_ray_of_its_own():
    import ray
    import tensorflow  # noqa: F401 - as programs have it already

    ray.init(address=os.environ.pop("RAY_ADDRESS"), log_to_driver=False)
    found, before = {}, (dict(os.environ), [signal.getsignal(number) for number in (2, 15, 1, 10)])

    def run_in_a_thread():
        try:
            run(progress=False)
        except tuner.TunerError as error:
            found["stopped"] = [type(error).__name__, str(error)]

    thread = threading.Thread(target=run_in_a_thread)
    thread.start()
    while not os.path.exists(f"{sys.argv[2]}/first/journal.jsonl"):
        time.sleep(0.1)
    sweep = tuner.load("first", storage=sys.argv[2])
    while len(sweep.curves()) < 2 and thread.is_alive():
        time.sleep(0.1)
    found["while it ran"] = [sweep.state, sweep.best is not None]
    try:
        run(or_resume=True)
    except tuner.UsageError as error:
        found["at the same time"] = str(error)
    sweep.stop()
    thread.join()
    os.remove(SLOW_WHILE)
    found["left"] = sweep.state
    resumed = tuner.resume("first", trainable=MyModel, num_trials=5, storage=sys.argv[2], progress=False)
    model = sweep.best_model()
    model.compile(loss="mse")
    loss = float(model.evaluate(*MyModel().load_data().validation, verbose=0))
    after = (dict(os.environ), [signal.getsignal(number) for number in (2, 15, 1, 10)])
    changed = {name for name in {*before[0], *after[0]} if before[0].get(name) != after[0].get(name)}
    found |= {
        "ended": [resumed.state, len(sweep.trials()), sweep.verify()["ok"]],
        "loss": [loss, sweep.best.value],
        "ray": ray.is_initialized(),
        "changed": sorted(name for name in changed if "MLFLOW" not in name),
        "handlers": before[1] == after[1],
    }
    print(json.dumps(found))


def resumed():
    """Of a sweep with another class of the same name."""
    for given in ({"trainable": MyModel}, {}):
        try:
            tuner.resume("first", num_trials=33, storage=sys.argv[2], progress=False, **given)
        except tuner.UsageError as error:
            print(error)
    print(tuner.load("first", storage=sys.argv[2]).state)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
