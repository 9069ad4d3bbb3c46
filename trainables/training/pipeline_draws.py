"""Random augmentation in a `tf.data` pipeline: new draws in each epoch, and the same ones for a seed and an epoch.

TensorFlow's random ops in a pipeline draw the same numbers in each epoch, or others in each run; in parallel maps their
order is left to chance. While a trainable loads and selects its data, they are replaced by stateless ones. Their seeds
come from the trial's seed, the epoch, the op, and what the function is given: an example has the same draws wherever in
the order it stands.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.ops import gen_random_ops

_current: list[Any] = []
_numbers = [itertools.count()]
_OF_SELECTION = 2**16
_OF_DATA = "Dataset_"
"""How TensorFlow's names of such functions begin."""
_SPREAD = 0x9E3779B97F4A7C15 - 2**64
"""Fibonacci hashing's multiplier, as a signed number."""


def begin_epoch(seed: int, epoch: int) -> None:
    """From now on pipelines draw what they draw in this epoch; 0 for a validation. NumPy's and Python's own, too."""
    if _current:
        _current[0].assign([seed, epoch])
    of_epoch = int(np.random.SeedSequence([seed, epoch, 2]).generate_state(1, np.uint32)[0])
    random.seed(of_epoch)
    np.random.seed(of_epoch)


@contextmanager
def reproducible_draws(is_selection: bool = False) -> Iterator[None]:
    """The random ops of functions of pipelines that are defined within draw as this module says.

    Args:
        is_selection: whether one trial's data are selected, rather than all data loaded.
    """
    _numbers[0] = itertools.count(_OF_SELECTION if is_selection else 0)
    twins: dict[str, Callable[..., Any]] = {
        "random_standard_normal": lambda shape, dtype, **_: tf.random.stateless_normal(shape, _seed(), dtype=dtype),
        "truncated_normal": lambda shape, dtype, **_: tf.random.stateless_truncated_normal(shape, _seed(), dtype=dtype),
        "random_uniform": lambda shape, dtype, **_: tf.random.stateless_uniform(shape, _seed(), dtype=dtype),
        "random_uniform_int": lambda shape, minval, maxval, **_: tf.random.stateless_uniform(
            shape, _seed(), minval, maxval, dtype=maxval.dtype
        ),
        "random_shuffle": lambda value, **_: tf.random.experimental.stateless_shuffle(value, _seed()),
    }
    replaced: list[tuple[Any, str, Any]] = []
    for name, twin in twins.items():
        original = getattr(gen_random_ops, name)
        replaced.append((gen_random_ops, name, original))
        setattr(gen_random_ops, name, _in_graphs(twin, original))
    next_seed = keras.random.SeedGenerator.next
    replaced.append((keras.random.SeedGenerator, "next", next_seed))

    def next_of_graph(self: Any, ordered: bool = True) -> Any:
        return next_seed(self, ordered) if _pipeline() is None else tf.bitcast(tf.cast(_seed(), tf.int32), tf.uint32)

    keras.random.SeedGenerator.next = next_of_graph
    try:
        yield
    finally:
        for owner, name, original in replaced:
            setattr(owner, name, original)


def _seed() -> Any:
    """Two whole numbers for an op of the function that is being traced."""
    if not _current:
        with tf.init_scope(), tf.device("CPU:0"):
            _current.append(tf.Variable([0, 0], dtype=tf.int64, trainable=False, name="epoch_of_pipelines"))
    of_epoch = tf.convert_to_tensor(_current[0])
    number = (next(_numbers[0]) % 2**20 + 1) * 0x632BE59BD9B4E019 % 2**63
    key = of_epoch[0] * _SPREAD + of_epoch[1] + number
    return tf.stack([key, _fingerprint() + number])


def _pipeline() -> Any:
    """The graph of the pipeline's function that is being traced; None outside of one."""
    graph = None if tf.executing_eagerly() else ops.get_default_graph()
    while graph is not None and not str(getattr(graph, "name", "")).startswith(_OF_DATA):
        graph = getattr(graph, "outer_graph", None)
    return graph


def _fingerprint() -> Any:
    """A number for what that function is given; equal for equal examples."""
    graph = _pipeline()
    found = tf.constant(0, tf.int64)
    for given in list(graph.inputs):
        if given.dtype in (tf.resource, tf.variant):
            continue
        rows = tf.reshape(given, [1, -1])
        if given.dtype == tf.bool:
            rows = tf.cast(rows, tf.uint8)
        number = tf.bitcast(tf.raw_ops.Fingerprint(data=rows, method="farmhash64"), tf.int64)[0]
        found = found * _SPREAD + number
    return found


def _in_graphs(twin: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def draw(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **options) if _pipeline() is None else twin(*arguments, **options)

    return draw
