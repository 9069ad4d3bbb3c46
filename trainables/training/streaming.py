"""An epoch over batches that come from the host: while a step computes, the next batch is on its way to the device.

The loop is not `for batch in batches`, which runs the steps within the pipeline, on fewer threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def over_batches(run_step: Callable[[Any], Any], batches: tf.data.Dataset, spec: Any) -> Any:
    """Runs a step on each batch, inside of a graph; what the last one returned, or nothing where there is no batch.

    Args:
        run_step: returns a vector of float32.
        spec: the nest of specs of a batch.
    """
    if not all(isinstance(part, tf.TensorSpec) for part in tf.nest.flatten(spec)):  # ragged or sparse: one at a time
        return _one_by_one(run_step, batches)
    iterator = iter(batches)
    is_there, first = _next(iterator, lambda: tf.nest.map_structure(_no_rows, spec))

    def step(is_there: Any, batch: Any, values: Any) -> Any:
        following = _next(iterator, lambda: batch)  # nothing of the step is waited for
        return *following, run_step(batch)

    _, _, values = tf.while_loop(
        lambda is_there, batch, values: is_there,
        step,
        (is_there, first, tf.zeros([0])),
        shape_invariants=(
            tf.TensorShape([]),
            tf.nest.map_structure(lambda part: part.shape, spec),
            tf.TensorShape([None]),
        ),
        parallel_iterations=1,
    )
    return values


def _next(iterator: Any, otherwise: Callable[[], Any]) -> tuple[Any, Any]:
    """Whether there is another batch, and that batch where the step computes."""
    element = iterator.get_next_as_optional()
    is_there = element.has_value()
    batch = tf.cond(is_there, element.get_value, otherwise)
    return is_there, tf.nest.map_structure(tf.identity, batch)


def _no_rows(spec: tf.TensorSpec) -> Any:
    """A batch without examples."""
    return tf.zeros([0 if size is None else size for size in spec.shape], spec.dtype)


def _one_by_one(run_step: Callable[[Any], Any], batches: tf.data.Dataset) -> Any:
    iterator = iter(batches)
    first = iterator.get_next_as_optional()
    _, values = tf.while_loop(
        lambda following, _: following.has_value(),
        lambda following, _: (run_step(following.get_value()), iterator.get_next_as_optional())[::-1],
        (first, tf.zeros([0])),
        shape_invariants=(first._type_spec, tf.TensorShape([None])),
        parallel_iterations=1,
    )
    return values
