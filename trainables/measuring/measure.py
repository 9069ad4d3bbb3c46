"""Measurements of a trainable in this process: range tests, throughput and memory, short trainings, gradients."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.measuring.noise_scale import noise_scale
from trainables.measuring.range_test import growing, has_diverged
from trainables.measuring.stepping import Stepping
from trainables.training.device import Split

NOISE_PAIRS = 100


@dataclass(frozen=True)
class Throughput:
    """A batch size's speed and memory."""

    examples_per_s: float
    peak_memory_bytes: int


def range_losses(stepping: Stepping, params: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """The rates and losses of a range test's steps; fewer where it diverged before its end."""
    rates = growing()
    steps = stepping.run(params, rates, lambda steps: has_diverged(steps.losses))
    return rates[: len(steps.losses)], steps.losses


def throughput(stepping: Stepping, params: Mapping[str, Any], batch_size: int, seconds: float) -> Throughput:
    """How fast steps of one batch size are, and what the process or card held at most.

    Args:
        seconds: about as long as it takes; a few steps at least.
    """
    forget_peak()
    step_s = stepping.seconds_per_step(params, seconds)
    return Throughput(stepping.batch_size(batch_size) / max(step_s, 1e-9), peak_bytes())


def forget_peak() -> None:
    """Begins to measure the peak of memory anew."""
    for card in _cards():
        tf.config.experimental.reset_memory_stats(card)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # the peak is then the process's since its begin


def peak_bytes() -> int:
    """The most memory since then: of the fullest card, or of this process where it trains on processors."""
    if cards := _cards():
        return max(int(tf.config.experimental.get_memory_info(card)["peak"]) for card in cards)
    try:
        return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) * 1024
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cards() -> list[str]:
    return [device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices("GPU")]


def gradient_noise(model: Any, split: Split, small: int, pairs: int = NOISE_PAIRS) -> tuple[float, float, float] | str:
    """The simple noise scale with the range of its estimate, at the model's weights; or why there is none.

    Gradients of batches of `small` examples are compared with those of eight times as many.
    """
    if type(model).train_step is not keras.Model.train_step:
        return "the model has a train_step of its own, whose gradients are its affair"
    big = min(8 * small, split.num_examples)
    if big < 2 * small:
        return f"it needs at least {2 * small} training examples, but there are {split.num_examples}"
    if split.is_streamed:
        return "it needs training data in arrays that have room on the device"

    def squared(rows: Any) -> Any:
        batch = tf.nest.map_structure(lambda array: tf.gather(array, rows), split.source)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True), weights, training=True)
        gradients = tape.gradient(loss, model.trainable_weights)
        parts = [
            tf.reduce_sum(tf.square(tf.cast(tf.convert_to_tensor(g), tf.float32))) for g in gradients if g is not None
        ]
        return tf.add_n(parts)

    graph = tf.function(squared, input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
    random = np.random.default_rng(0)
    squares: dict[int, list[float]] = {small: [], big: []}
    for _ in range(pairs):
        for size, found in squares.items():
            rows = random.choice(split.num_examples, size, replace=False)
            found.append(float(graph(tf.constant(rows, tf.int64))))
    if not all(map(math.isfinite, (*squares[small], *squares[big]))):
        return "its gradients are not finite"
    return noise_scale(small, big, squares[small], squares[big]) or "the noise of the gradients hides their mean"
