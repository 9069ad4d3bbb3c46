"""The rate of each schedule as a function of the step, in the same order of operations as Keras's own.

s is the step after the warm-up, from 0, and lr the learning rate:

- constant, plateau: lr; of plateau, as its rule last set it
- exponential:       lr * decay_rate ** p, p = s / decay_steps; staircase takes the whole part of p
- inverse_time:      lr / (1 + decay_rate * p)
- step:              lr * the factors of the milestones passed; epoch e's steps end at step e * steps_per_epoch - 1
- polynomial:        (lr - end) * (1 - s / decay_steps) ** power + end; cycle lengthens decay_steps to the next multiple
- cosine:            lr * ((1 - alpha) * (1 + cos(pi * s / total)) / 2 + alpha), total being the steps after the warm-up
                     (Loshchilov and Hutter 2017, eq. 5)
- cosine_restarts:   the same over periods of first_decay_steps * t_mul ** i steps, its height times m_mul ** i
- one_cycle:         lr / div_factor rises to lr at s = pct_start * total - 1, then falls to the first rate /
                     final_div_factor at s = total - 1, both along half a cosine (Smith and Topin 2018)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

Values = Mapping[str, Any]
"""By name, float32 scalars; `boundaries` and `rates` are vectors."""


def _constant(s: Any, v: Values) -> Any:
    return v["learning_rate"] + tf.zeros_like(s)


def _progress(s: Any, v: Values) -> Any:
    p = s / v["decay_steps"]
    return tf.where(v["staircase"] > 0, tf.floor(p), p)


def _exponential(s: Any, v: Values) -> Any:
    return v["learning_rate"] * tf.pow(v["decay_rate"], _progress(s, v))


def _inverse_time(s: Any, v: Values) -> Any:
    return v["learning_rate"] / (1.0 + v["decay_rate"] * _progress(s, v))


def _step(s: Any, v: Values) -> Any:
    passed = tf.reduce_sum(tf.cast(s[..., tf.newaxis] > v["boundaries"], tf.int32), axis=-1)
    return tf.gather(v["rates"], passed)


def _polynomial(s: Any, v: Values) -> Any:
    steps, end = v["decay_steps"], v["end_learning_rate"]
    cycles = tf.where(s > 0, tf.math.ceil(s / steps), 1.0)
    is_cycle = v["cycle"] > 0
    steps = tf.where(is_cycle, steps * cycles, steps)
    p = tf.where(is_cycle, s, tf.minimum(s, steps)) / steps
    return (v["learning_rate"] - end) * tf.pow(1.0 - p, v["power"]) + end


def _cosine(s: Any, v: Values) -> Any:
    p = tf.minimum(s, v["total"]) / v["total"]
    half = 0.5 * (1.0 + tf.cos(math.pi * p))
    return v["learning_rate"] * (v["but_alpha"] * half + v["alpha"])


def _cosine_restarts(s: Any, v: Values) -> Any:
    p, t_mul = s / v["first_decay_steps"], v["t_mul"]
    is_even = tf.equal(t_mul, 1.0)
    t = tf.where(is_even, 2.0, t_mul)  # keeps the branch that is not taken finite
    grown = tf.floor(tf.math.log(1.0 - p * (1.0 - t)) / tf.math.log(t))
    before = (1.0 - tf.pow(t, grown)) / (1.0 - t)
    restarts = tf.where(is_even, tf.floor(p), grown)
    p = tf.where(is_even, p - restarts, (p - before) / tf.pow(t, grown))
    half = 0.5 * tf.pow(v["m_mul"], restarts) * (1.0 + tf.cos(math.pi * p))
    return v["learning_rate"] * ((1.0 - v["alpha"]) * half + v["alpha"])


def _one_cycle(s: Any, v: Values) -> Any:
    top, last = v["top"], v["last"]
    low, high = v["first_rate"], v["learning_rate"]
    up = low + (high - low) * 0.5 * (1.0 - tf.cos(math.pi * tf.minimum(s / top, 1.0)))
    fall = tf.clip_by_value((s - top) / tf.maximum(last - top, 1e-6), 0.0, 1.0)
    down = v["last_rate"] + (high - v["last_rate"]) * 0.5 * (1.0 + tf.cos(math.pi * fall))
    return tf.where(s < top, up, down)


FORMULAS: dict[str, Callable[[Any, Values], Any]] = {
    "constant": _constant,
    "exponential": _exponential,
    "step": _step,
    "polynomial": _polynomial,
    "inverse_time": _inverse_time,
    "cosine": _cosine,
    "cosine_restarts": _cosine_restarts,
    "one_cycle": _one_cycle,
    "plateau": _constant,
}
