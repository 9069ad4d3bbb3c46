"""The learning-rate schedule: any kind with any parameters in one graph, so that a change of schedule never retraces.

Rates at optimizer step t (from 0), with w warm-up steps, s = t - w and the learning rate lr:

- warm-up, t < w:  lr * t / w
- constant:        lr
- exponential:     lr * decay_rate ** (s / decay_steps), which is lr * exp(-k * s), k = -ln(decay_rate) / decay_steps;
                   staircase takes the whole part of s / decay_steps
- cosine:          lr / 2 * (1 + cos(pi * s / total)), total being the steps after the warm-up
                   (Loshchilov and Hutter 2017, eq. 5)
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from trainables.contract import Params

_KINDS = ("constant", "exponential", "cosine")


class VariableSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning-rate schedule whose kind and parameters are one variable; `set` gives it others."""

    def __init__(self) -> None:
        # kind, learning_rate, decay_rate, decay_steps, staircase, warm-up steps, steps after the warm-up
        self._settings = tf.Variable([0.0, 0.001, 1.0, 1.0, 0.0, 0.0, 1.0], trainable=False, name="schedule")

    def set(self, params: Params, steps_per_epoch: int) -> None:
        """Makes this the schedule of a training with these parameters."""
        warmup_steps = params.warmup_epochs * steps_per_epoch
        total_steps = params.epochs * steps_per_epoch - warmup_steps
        self._settings.assign(
            [
                _KINDS.index(params.schedule),
                params.learning_rate,
                params.decay_rate,
                params.decay_steps,
                params.staircase,
                warmup_steps,
                max(total_steps, 1.0),
            ]
        )

    @property
    def variable(self) -> Any:
        """Kind and parameters, as the graph reads them."""
        return self._settings

    def __call__(self, step: Any) -> Any:
        """The rate at an optimizer step, or at a tensor of steps."""
        kind, rate, decay_rate, decay_steps, staircase, warmup_steps, total_steps = tf.unstack(self._settings)
        step = tf.cast(step, tf.float32)
        decayed_steps = tf.maximum(step - warmup_steps, 0.0)
        exponent = decayed_steps / decay_steps
        exponent = tf.where(staircase > 0, tf.floor(exponent), exponent)
        cosine = 0.5 * (1.0 + tf.cos(math.pi * tf.minimum(decayed_steps / total_steps, 1.0)))
        factor = tf.where(kind < 0.5, 1.0, tf.where(kind < 1.5, decay_rate**exponent, cosine))
        # The divisor's floor keeps the branch that is not taken finite.
        return rate * tf.where(step < warmup_steps, step / tf.maximum(warmup_steps, 1e-9), factor)

    def get_config(self) -> dict[str, Any]:
        """Nothing: the settings belong to a trial and are set, not configured."""
        return {}
