"""Models that take batches of one size only: with a fixed batch shape, or recurrent layers that keep their state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainables.contract import DataError


def fixed_batch_size(model: Any) -> int | None:
    """The only batch size that a model takes; None if it takes any."""
    for tensor in getattr(model, "inputs", None) or ():
        if tensor.shape and tensor.shape[0] not in (None, 1):  # 1: it was built on one example
            return int(tensor.shape[0])
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "stateful", False):
            states = tf.nest.flatten(getattr(layer, "states", None) or [])
            if states and states[0].shape and states[0].shape[0] is not None:
                return int(states[0].shape[0])
    return None


def check_fixed_batch(size: int, batch_size: int, lengths: dict[str, int]) -> None:
    """Refuses a batch size or data that a model of fixed batches cannot train on.

    Args:
        lengths: the number of examples of each part of the data, by its name.

    Raises:
        DataError: the message has the rule.
    """
    rule = f"the model takes batches of {size} examples only (a fixed batch shape, or a stateful layer)"
    if batch_size != size:
        raise DataError(f"{rule}, so batch_size must be {size}, but got {batch_size}: build it with params.batch_size")
    for name, length in lengths.items():
        if length % size:
            raise DataError(
                f"{rule}, so {name} data must hold a multiple of that, but {length % size} examples are over: leave"
                f" them out, or choose a batch_size that divides"
            )


def of_size(step: Callable[[Any], Any], size: int) -> Callable[[Any], Any]:
    """The step on batches whose size is known while it is traced."""

    def run(batch: Any) -> Any:
        return step(tf.nest.map_structure(lambda part: tf.ensure_shape(part, [size, *part.shape[1:]]), batch))

    return run
