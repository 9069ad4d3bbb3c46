"""Seeds every source of randomness before a trial, without making TensorFlow place its graphs again."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator
from tensorflow.python.eager import context as tf_context


class Seeder:
    """`keras.utils.set_random_seed` at a hundredth of its cost where a seed is new to the process.

    TensorFlow throws away all placed graphs with every seed (0.1 to 0.2 s for a small one), to forget the random ops
    run under the same seed before. Under a new seed there are none.
    """

    def __init__(self) -> None:
        self._used: set[int] = set()

    def seed(self, seed: int) -> None:
        """Seeds Python, NumPy, Keras and TensorFlow."""
        if not self._used or seed in self._used:
            keras.utils.set_random_seed(seed)
        else:
            self.restart(seed)
        self._used.add(seed)

    def restart(self, seed: int) -> None:
        """Begins every sequence of random numbers anew, but for ops that were run under this seed before."""
        random.seed(seed)
        np.random.seed(seed)
        global_state.set_global_attribute("global_random_seed", seed)
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
        context = tf_context.context()
        context._seed, context._rng = seed, random.Random(seed)

    def restart_epoch(self, seed: int, epoch: int) -> None:
        """Begins every sequence anew for code that runs after an epoch, so that it depends on (seed, epoch) alone."""
        self.restart(int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint32)[0]))


class EpochSeeder:
    """Begins every sequence of random numbers anew in each epoch, so that an epoch's depend on (seed, epoch) alone."""

    def __init__(self) -> None:
        self._generator: Any = None

    def begin_trial(self, seed: int, precision: str) -> None:
        """Seeds everything, before a model is built."""
        keras.config.set_dtype_policy(precision)
        keras.utils.set_random_seed(seed)
        self._generator = seed_generator.global_seed_generator()  # graphs hold its variable

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Seeds everything but what the model itself draws with, which is part of its state."""
        of_epoch = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint32)[0])
        random.seed(of_epoch)
        np.random.seed(of_epoch)
        self._generator.state.assign([of_epoch, 0])
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, self._generator)
        context = tf_context.context()
        context._seed, context._rng = of_epoch, random.Random(of_epoch)
