"""A user's trainable: a tiny network on made-up points, which diverges, raises, hangs, leaks memory or takes its time
where a test wants it.

Keras is imported where it is needed, which makes looking at the file quick.
"""

import os
import sys
import time

import numpy as np

from trainables.contract import Data, Params, Trainable

LEAKED = []


class Tiny(Trainable):
    loss = "mse"
    metrics = ("mae",)

    class Params(Params):
        units: int = 4
        broken: str = "no"
        pause_s: float = 0.0
        slow_while: str = ""
        """A file; once it is gone there are no pauses. Always, if empty."""

    def load_data(self) -> Data:
        x = np.random.default_rng(0).normal(size=(256, 3)).astype("float32")
        y = x.sum(axis=1, keepdims=True)
        return Data(train=(x[:192], y[:192]), validation=(x[192:], y[192:]))

    def build_model(self, params):
        import keras

        if params.broken == "build":
            raise ValueError("a first line\nunits must be even")
        layers = [keras.Input((3,)), keras.layers.Dense(params.units, activation="relu"), keras.layers.Dense(1)]
        if params.broken == "none":
            return None
        if params.broken == "interrupt":
            raise KeyboardInterrupt
        if params.broken == "exit":
            sys.exit(3)
        if params.broken == "die":
            os._exit(3)
        if params.broken == "mute":
            raise Mute
        if params.broken == "layer":
            layers.append(keras.layers.Reshape((7, 7)))
        if params.broken == "surrogate":
            raise ValueError("cannot read " + os.fsdecode(b"caf\xe9.csv"))
        if params.broken == "memory":
            raise MemoryError("no room for the weights")
        if params.broken == "leak":
            LEAKED.append(np.ones(2**26, "uint8"))
        if params.broken == "hog":
            while True:
                LEAKED.append(np.ones(2**27, "uint8"))
                time.sleep(0.05)
        if params.broken == "nan":
            layers.append(keras.layers.Rescaling(float("nan")))
        pause_s = 3600.0 if params.broken == "hang" else params.pause_s
        return _slow(layers, pause_s, params.slow_while) if pause_s else keras.Sequential(layers)


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("it has no words")


def _slow(layers, pause_s, slow_while):
    """Pauses in every step, so that a test has time to interrupt it."""
    import keras
    import tensorflow as tf

    def pause():
        if not slow_while or os.path.exists(slow_while):
            time.sleep(pause_s)

    class Slow(keras.Sequential):
        def train_step(self, data):
            tf.py_function(pause, [], [])
            return super().train_step(data)

    return Slow(layers)


class AlwaysRaises(Tiny):
    def build_model(self, params):
        raise RuntimeError("there is no such layer")
