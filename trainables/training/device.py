"""Training data on the device: arrays become tensors once, and a trial's part of them a slice without a copy."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import BATCHING, READER, DataError
from trainables.training.batching import batched
from trainables.training.shuffling import shuffled, unshuffled


@dataclass(frozen=True)
class Split:
    """One part of the data.

    `source` is a tf.data.Dataset of single examples, or a nest of tensors of `num_examples` rows.
    """

    source: Any
    num_examples: int

    @property
    def is_dataset(self) -> bool:
        return isinstance(self.source, tf.data.Dataset)

    @property
    def spec(self) -> Any:
        """The nest of specs of a batch, of any size."""
        if self.is_dataset:
            return batched(self.source, 1).element_spec
        return tf.nest.map_structure(lambda rows: tf.TensorSpec([None, *rows.shape[1:]], rows.dtype), self.source)

    def first(self, num_examples: int) -> Any:
        """A batch of the first examples."""
        if self.is_dataset:
            return next(iter(batched(self.source, num_examples)))
        return tf.nest.map_structure(lambda rows: rows[:num_examples], self.source)

    def inputs(self, num_examples: int) -> Any:
        """x of the first examples."""
        first = self.first(num_examples)
        return first[0] if isinstance(first, tuple) else first

    def batches(self, batch_size: int, shuffle_seed: int | None, *, keeps_order: bool = False) -> tf.data.Dataset:
        """The batches of one epoch of a data set. The seed must differ from epoch to epoch.

        Args:
            shuffle_seed: None for no shuffle, neither ours nor the user's own.
            keeps_order: whether the order is the user's affair, with the shuffle of their own.
        """
        if (reader := getattr(self.source, READER, None)) is not None:
            return reader.batches(batch_size, shuffle_seed)
        examples = self.source
        if shuffle_seed is not None:
            examples = shuffled(examples, self.num_examples, shuffle_seed)
        elif not keeps_order:
            examples = unshuffled(examples)
        return batched(examples, batch_size, getattr(self.source, BATCHING, None)).prefetch(2)


class DeviceData:
    """Turns arrays into tensors on the device, each array once however many trials use it or its rows."""

    def __init__(self) -> None:
        self._tensors: dict[int, tuple[np.ndarray[Any, Any], Any]] = {}
        self._lengths: dict[int, tuple[weakref.ref[Any], int]] = {}

    def keep(self, part: Any) -> None:
        """Puts arrays on the device for good; slices of them are then free. Other kinds of data stay where they are."""
        if not isinstance(part, np.ndarray | dict | tuple):
            return
        for rows in tf.nest.flatten(_as_nest(part)):
            if id(rows) not in self._tensors:
                self._tensors[id(rows)] = (rows, self._tensor(rows))

    def split(self, part: Any, name: str) -> Split:
        """The device's form of `Data.train`, `validation` or `test`.

        Raises:
            DataError: it is neither a data set nor arrays of one length, or it is empty.
        """
        if isinstance(part, tf.data.Dataset):
            return Split(part, self._num_examples(part, name))
        if isinstance(part, tuple) and len(part) == 1:
            part = part[0]  # as `fit` hands x alone to a step
        nest = _as_nest(part)
        lengths = [len(rows) if np.ndim(rows) else -1 for rows in tf.nest.flatten(nest)]
        is_x = isinstance(part, np.ndarray | dict)
        is_tuple = isinstance(part, tuple) and len(part) in (2, 3)
        if not (is_x or is_tuple) or len(set(lengths)) != 1 or lengths[0] < 1:
            raise DataError(
                f"{name} data must be a tf.data.Dataset, x, or a tuple (x, y) or (x, y, sample_weight) of arrays of "
                f"one length, at least 1, but got {type(part).__name__} with lengths {lengths}"
            )
        return Split(tf.nest.map_structure(self._tensor, nest), lengths[0])

    def _tensor(self, rows: np.ndarray[Any, Any]) -> Any:
        """The tensor of an array; of a run of rows of a kept array, a slice of its tensor."""
        for base, tensor in self._tensors.values():
            if rows is base:
                return tensor
            first = _first_row(rows, base)
            if first is not None:
                return tensor[first : first + len(rows)]
        return _to_device(rows)

    def _num_examples(self, examples: tf.data.Dataset, name: str) -> int:
        """The length of a data set, counted once where it is not known."""
        known = self._lengths.get(id(examples))
        if known is not None and known[0]() is examples:
            return known[1]
        length = int(examples.cardinality().numpy())
        if length == tf.data.INFINITE_CARDINALITY:
            raise DataError(f"{name} data must end, but the tf.data.Dataset is infinite: use .take(n)")
        if length == tf.data.UNKNOWN_CARDINALITY:
            length = int(examples.reduce(np.int64(0), lambda count, _: count + 1).numpy())
        if length == 0:
            raise DataError(f"{name} data must hold at least one example, but the tf.data.Dataset is empty")
        self._lengths[id(examples)] = (weakref.ref(examples), length)
        return length


def _as_nest(part: Any) -> Any:
    return tf.nest.map_structure(np.asarray, part)


def _to_device(rows: np.ndarray[Any, Any]) -> Any:
    """Floats as Keras's float type, all else as it is."""
    dtype = keras.config.floatx() if np.issubdtype(rows.dtype, np.floating) else None
    return tf.convert_to_tensor(rows, dtype=dtype)


def _first_row(rows: np.ndarray[Any, Any], base: np.ndarray[Any, Any]) -> int | None:
    """The row of `base` at which the view `rows` of a run of its rows begins; None if it is no such view."""
    alike = rows.dtype == base.dtype and rows.shape[1:] == base.shape[1:] and rows.strides == base.strides
    if not alike or not base.strides or base.strides[0] <= 0 or not np.may_share_memory(rows, base):
        return None
    offset = rows.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    first = offset // base.strides[0]
    return first if offset % base.strides[0] == 0 and 0 <= first <= len(base) - len(rows) else None
