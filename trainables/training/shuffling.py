"""The order of a data set's examples in an epoch, without an epoch of decoded examples in memory.

A shuffle buffer behind the decoding holds what was decoded. So the shuffle moves to the source, past steps that make
one example of one: indices or file names are shuffled, and each example is decoded when it is needed. Where that cannot
be, the buffer is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.data.ops import dataset_ops
from tensorflow.python.ops import gen_dataset_ops

BUFFER_EXAMPLES_MAX = 10_000
BUFFER_BYTES_MAX = 2**27
"""Of decoded examples that a shuffle buffer holds in each worker."""
_BYTES = "_bytes_of_an_example"
_SMALL_BYTES = 1024
"""Examples of a source up to this size are shuffled themselves, larger ones by their indices."""


def shuffled(examples: tf.data.Dataset, num_examples: int, seed: int) -> tf.data.Dataset:
    """The examples in an order that depends on the seed alone."""
    moved = _moved(examples, num_examples, seed)
    if moved is not None:
        return moved
    return unshuffled(examples).shuffle(buffer_size(examples, num_examples), seed=seed)


def unshuffled(examples: Any) -> Any:
    """Without the user's own shuffles that give another order each time that they are read.

    A shuffle stays where something before the end counts on its order, such as `take`, or where the pipeline cannot be
    made again without it.
    """
    kind = type(examples).__name__.lstrip("_")
    try:
        if kind == "ZipDataset":
            parts = tf.nest.map_structure(unshuffled, examples._datasets)
            return examples if _are_same(parts, examples._datasets) else tf.data.Dataset.zip(parts)
        inner = getattr(examples, "_input_dataset", None)
        if kind == "ShuffleDataset" and examples._reshuffle_each_iteration is not False:
            return unshuffled(inner)
        if kind not in ("MapDataset", "ParallelMapDataset", "PrefetchDataset", "OptionsDataset"):
            return examples
        made = unshuffled(inner)
        return examples if made is inner else _again(examples, made)
    except (AttributeError, TypeError, ValueError):  # another version of TensorFlow has it otherwise
        return examples


def _are_same(parts: Any, others: Any) -> bool:
    return all(one is other for one, other in zip(tf.nest.flatten(parts), tf.nest.flatten(others), strict=True))


def _again(examples: Any, inner: Any) -> Any:
    """The same step of a pipeline on another input."""
    kind = type(examples).__name__.lstrip("_")
    if kind == "PrefetchDataset":
        return inner
    return inner.with_options(examples.options()) if kind == "OptionsDataset" else _mapped(examples, inner)


def buffer_size(examples: tf.data.Dataset, num_examples: int) -> int:
    """How many examples a buffer behind the whole pipeline may hold."""
    return max(1, min(num_examples, BUFFER_EXAMPLES_MAX, BUFFER_BYTES_MAX // max(1, example_bytes(examples))))


def example_bytes(examples: tf.data.Dataset) -> int:
    """The size of an example, of the first one where they differ."""
    specs = [spec for spec in tf.nest.flatten(examples.element_spec)]
    if all(isinstance(spec, tf.TensorSpec) and spec.shape.is_fully_defined() for spec in specs):
        return sum(int(spec.shape.num_elements()) * spec.dtype.size for spec in specs)
    if not hasattr(examples, _BYTES):  # read once, as a generator may take its time
        first = next(iter(examples), None)
        parts = [] if first is None else tf.nest.flatten(first, expand_composites=True)
        setattr(examples, _BYTES, sum(int(np.asarray(part).nbytes) for part in parts))
    return int(getattr(examples, _BYTES))


def shuffle_warning(examples: tf.data.Dataset, num_examples: int) -> str:
    """What is told where the examples cannot be shuffled whole; empty if they can."""
    size = buffer_size(examples, num_examples)
    if size >= num_examples or is_movable(examples):
        return ""
    return (
        f"a shuffle looks at {size} of {num_examples} examples at a time, as they are large: make the data set of"
        " indices or file names, from_tensor_slices(names).map(decode), and the whole of it is shuffled"
    )


def is_movable(examples: tf.data.Dataset) -> bool:
    """Whether the shuffle can stand at the source."""
    return _moved(examples, 1, 0) is not None


def _moved(examples: Any, num_examples: int, seed: int, cuts: tuple[Any, ...] = ()) -> Any:
    """The same pipeline with its source shuffled; None if a step in it does not make one example of one.

    Args:
        cuts: steps further down that take or skip examples: before the shuffle, they do the same to the source.
    """
    kind = type(examples).__name__.lstrip("_")
    try:
        if kind in ("TensorSliceDataset", "RangeDataset"):
            return _source(examples, num_examples, seed, cuts)
        inner = getattr(examples, "_input_dataset", None)
        if kind in ("TakeDataset", "SkipDataset"):
            return _moved(inner, num_examples, seed, (examples, *cuts))
        if kind == "ShuffleDataset" and not cuts:
            return _moved(inner, num_examples, seed)
        if kind in ("MapDataset", "ParallelMapDataset", "PrefetchDataset", "OptionsDataset"):
            moved = _moved(inner, num_examples, seed, cuts)
            return None if moved is None else _again(examples, moved)
        if kind == "ZipDataset":  # each part is as long, and the same seed gives the same order
            parts = [_moved(part, num_examples, seed, cuts) for part in tf.nest.flatten(examples._datasets)]
            if any(part is None for part in parts) or len({_length(part) for part in parts}) != 1:
                return None
            return tf.data.Dataset.zip(tf.nest.pack_sequence_as(examples._datasets, parts))
    except (AttributeError, TypeError, ValueError):  # another version of TensorFlow has it otherwise
        return None
    return None


def _length(examples: Any) -> int:
    return int(examples.cardinality().numpy())


def _source(examples: Any, num_examples: int, seed: int, cuts: tuple[Any, ...]) -> Any:
    if isinstance(examples.element_spec, tf.TensorSpec) and example_bytes(examples) <= _SMALL_BYTES:
        return _cut(examples, cuts).shuffle(num_examples, seed=seed)
    flat, structure = list(examples._tensors), examples._structure
    if len(tf.nest.flatten(structure)) != len(flat):
        return None

    def example(index: Any) -> Any:
        return tf.nest.pack_sequence_as(structure, [rows[index] for rows in flat])

    indices = _cut(tf.data.Dataset.range(int(flat[0].shape[0])), cuts)
    return indices.shuffle(num_examples, seed=seed).map(example)


def _cut(source: Any, cuts: tuple[Any, ...]) -> Any:
    for step in cuts:
        source = source.take(step._count) if "Take" in type(step).__name__ else source.skip(step._count)
    return source


def _mapped(examples: Any, inner: Any) -> Any:
    """The same function, which was traced already, on another input."""
    function = examples._map_func.function
    make: Callable[..., Any] = gen_dataset_ops.map_dataset
    options: dict[str, Any] = {"preserve_cardinality": True}
    if type(examples).__name__.lstrip("_") == "ParallelMapDataset":
        make = gen_dataset_ops.parallel_map_dataset_v2
        options |= {"num_parallel_calls": examples._num_parallel_calls, "deterministic": "true"}
    variant = make(inner._variant_tensor, function.captured_inputs, f=function, **examples._flat_structure, **options)
    return dataset_ops._VariantDataset(variant, examples.element_spec)
