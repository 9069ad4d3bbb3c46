"""A batch that is trained in parts: one optimizer step with the mean gradient of all its examples, in less memory.

The parts' gradients are weighed by their examples, so that the step is that of the whole batch, also of a last one that
is smaller. Batch normalization alone differs: it takes the statistics of each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from trainables.exceptions import PartsError

Rows = Callable[[Any, Any], Any]
"""The examples of a batch from one number to before another."""


def rows_of(batch: Any) -> Rows:
    """The examples of a batch that is there as a whole; None in it stays None."""

    def rows(first: Any, last: Any) -> Any:
        return tf.nest.map_structure(lambda array: None if array is None else array[first:last], batch)

    return rows


def parts_of(batch_size: int, *at_most: int | None) -> int | None:
    """The most examples that are trained at once; None for a whole batch."""
    sizes = [size for size in at_most if size is not None and size < batch_size]
    return min(sizes, default=None)


def with_gradients(step: Callable[[Any], Any], optimizer: Any, kept: list[Any]) -> Callable[[Any], Any]:
    """A training step that returns its gradients with its values, and applies none.

    Args:
        kept: is filled with the variables of the gradients while it is traced.
    """

    def run(batch: Any) -> Any:
        if not isinstance(optimizer, keras.Optimizer):
            raise PartsError("a batch cannot be trained in parts of micro_batch_size examples without self.optimizer")
        with _recorded(optimizer) as calls:
            values = step(batch)
        if len(calls) != 1:
            raise PartsError(
                "a batch cannot be trained in parts of micro_batch_size examples where train_step does not apply its"
                f" gradients once, by self.optimizer: here it does {len(calls)} times"
            )
        pairs = [(gradient, variable) for gradient, variable in calls[0] if gradient is not None]
        kept[:] = [variable for _, variable in pairs]
        return values, [tf.convert_to_tensor(gradient) for gradient, _ in pairs]

    return run


def in_parts(part: Callable[[Any], Any], rows: Rows, size: Any, at_most: Any, optimizer: Any, kept: list[Any]) -> Any:
    """Trains a batch in parts and returns what the last one returned; for use inside of a graph.

    Args:
        part: made by `with_gradients`, with the same `kept`.
        rows: gives the examples of the batch.
        size: the number of its examples.
        at_most: how many of them are trained at once.
    """

    def trained(first: Any, last: Any) -> tuple[Any, list[Any]]:
        values, gradients = part(rows(first, last))
        share = tf.cast(last - first, tf.float32) / tf.cast(size, tf.float32)
        return values, [gradient * tf.cast(share, gradient.dtype) for gradient in gradients]

    def step(first: Any, _: Any, sums: Any) -> Any:
        last = tf.minimum(first + at_most, size)
        values, gradients = trained(first, last)
        return last, values, [total + gradient for total, gradient in zip(sums, gradients, strict=True)]

    end = tf.minimum(at_most, size)
    values, sums = trained(tf.zeros_like(end), end)
    values = tf.nest.map_structure(tf.convert_to_tensor, values)
    _, values, sums = tf.while_loop(lambda first, *_: first < size, step, (end, values, sums), parallel_iterations=1)
    optimizer.apply(sums, kept)
    return values


def train_step_in_parts(model: Any, at_most: int) -> None:
    """Lets a model's own `fit` train its batches in parts. XLA cannot compile such steps, so it compiles none."""
    step = model.train_step
    model.jit_compile = False

    def run(batch: Any) -> Any:
        kept: list[Any] = []
        part = with_gradients(step, model.optimizer, kept)
        arrays = [array for array in tf.nest.flatten(batch) if array is not None]
        return in_parts(part, rows_of(batch), tf.shape(arrays[0])[0], at_most, model.optimizer, kept)

    model.train_step = run


def has_batch_normalization(model: Any) -> bool:
    """Whether parts of a batch have other statistics than the whole."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model._flatten_layers())


@contextmanager
def _recorded(optimizer: Any) -> Iterator[list[Any]]:
    """Keeps an optimizer from applying gradients; what it was given is in the list: (gradient, variable) a call."""
    calls: list[Any] = []

    def apply(gradients: Any, trainable_variables: Any = None) -> None:
        variables = optimizer._trainable_variables if trainable_variables is None else trainable_variables
        calls.append(list(zip(gradients, variables, strict=True)))

    before = vars(optimizer).get("apply")
    vars(optimizer)["apply"] = apply
    try:
        yield calls
    finally:
        if before is None:
            del vars(optimizer)["apply"]
        else:
            vars(optimizer)["apply"] = before
