"""Examples that are larger than memory, as tf.data of single examples.

Trainings that find `READER` on a data set read whole batches of rows at once. A pipeline that a user builds on it has
lost the attribute, and reads row by row: slower, with the same examples.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

from trainables.contract import READER
from trainables.reading.rows import Rows

Array = np.ndarray[Any, Any]

_READ_BYTES = 4 * 2**20
"""What one call into Python reads, as a rule: more than a batch, where batches are small."""
_READERS = 2


class Reader:
    """Reads the examples of one part of the data: rows, their y and their weights."""

    def __init__(self, rows: Rows, positions: Array, y: Array | None, weight: Array | None) -> None:
        self._rows, self._positions, self._y, self._weight = rows, positions, y, weight
        first = self._arrays(np.arange(1))
        self._specs = [tf.TensorSpec(array.shape[1:], array.dtype) for array in first]
        self._example_bytes = sum(array.nbytes for array in first)

    @property
    def digest(self) -> str:
        """Of the examples of this part: which rows they are, their labels and weights, and the rows of all parts."""
        digest = hashlib.blake2b(self._rows.digest.encode(), digest_size=20)
        for array in (self._positions, self._y, self._weight):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def batches(self, batch_size: int, shuffle_seed: int | None) -> tf.data.Dataset:
        """The batches of an epoch, in an order that depends on the seed alone; in their own order for None."""
        order = tf.range(len(self._positions), dtype=tf.int64)
        if shuffle_seed is not None:
            order = tf.random.experimental.stateless_shuffle(order, [shuffle_seed, 0])
        at_once = max(1, _READ_BYTES // (self._example_bytes * batch_size))
        with tf.device("CPU:0"):
            numbers = tf.data.Dataset.from_tensor_slices(order).batch(at_once * batch_size)
            read = numbers.map(self._read, num_parallel_calls=_READERS, deterministic=True)
            batches = read if at_once == 1 else read.rebatch(batch_size)
            return batches.map(self._example, num_parallel_calls=_READERS, deterministic=True).prefetch(2)

    def single(self) -> tf.data.Dataset:
        """The examples one by one."""
        with tf.device("CPU:0"):
            numbers = tf.data.Dataset.range(len(self._positions))
            return numbers.map(self._read_one, num_parallel_calls=_READERS, deterministic=True)

    def _read(self, numbers: Any) -> Any:
        read = tf.numpy_function(self._arrays, [numbers], [spec.dtype for spec in self._specs], stateful=False)
        for array, spec in zip(read, self._specs, strict=True):
            array.set_shape([None, *spec.shape])
        return tuple(read)

    def _read_one(self, number: Any) -> Any:
        read = self._read(number[None])
        return self._example(*(tf.reshape(array, spec.shape) for array, spec in zip(read, self._specs, strict=True)))

    def _arrays(self, numbers: Array) -> list[Array]:
        read = list(self._rows.read(self._positions[numbers]).values())
        return [*read, *(array[numbers] for array in (self._y, self._weight) if array is not None)]

    def _example(self, *read: Any) -> Any:
        """What was read as `Data` has it, with the types that are trained on."""
        names = list(self._rows.dtype.names or ())
        fields = {
            name: tf.cast(array, self._rows.as_dtype.get(name, array.dtype))
            for name, array in zip(names, read, strict=False)
        }
        x = next(iter(fields.values())) if len(names) == 1 else fields
        others = read[len(names) :]
        return (x, *others) if others else x


def stream(rows: Rows, positions: Array, y: Array | None, weight: Array | None) -> tf.data.Dataset:
    """The rows at these positions with their labels, read as they are needed."""
    reader = Reader(rows, positions, y, weight)
    examples = reader.single()
    setattr(examples, READER, reader)
    return examples


def decoding(x: tf.data.Dataset, y: Array | None, weight: Array | None) -> tf.data.Dataset:
    """Examples that are decoded as they are read, with their labels."""
    others = [tf.data.Dataset.from_tensor_slices(array) for array in (y, weight) if array is not None]
    return tf.data.Dataset.zip((x, *others)) if others else x
