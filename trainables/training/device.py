"""Training data on the device: arrays become tensors once, and a trial's part of them a slice without a copy.

Arrays that have no room on the device stay in host memory, and their batches follow each other to the device.
"""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from trainables.contract import BATCHING, READER, DataError
from trainables.training.batching import batched
from trainables.training.placing import room_bytes, tensor_bytes, to_device, to_host
from trainables.training.shuffling import shuffled, unshuffled


@dataclass(frozen=True)
class Split:
    """One part of the data.

    `source` is a tf.data.Dataset of single examples, or a nest of tensors of `num_examples` rows.
    """

    source: Any
    num_examples: int
    is_on_host: bool = False
    """Whether the tensors lie in host memory, as they have no room on the device."""

    @property
    def is_dataset(self) -> bool:
        return isinstance(self.source, tf.data.Dataset)

    @property
    def is_streamed(self) -> bool:
        """Whether an epoch is fed with batches, rather than with all rows."""
        return self.is_dataset or self.is_on_host

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
        with tf.device("CPU:0") if self.is_on_host else nullcontext():
            return tf.nest.map_structure(lambda rows: rows[:num_examples], self.source)

    def epoch(self, batch_size: int, seed: int, epoch: int) -> tf.data.Dataset:
        """The batches of an epoch where they are streamed, in an order that depends on (seed, epoch) alone."""
        if self.is_dataset:
            order_seed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint32)[0])
            return self.batches(batch_size, order_seed)
        order = tf.range(self.num_examples)
        return gathered(self.source, tf.random.experimental.stateless_shuffle(order, [seed, epoch]), batch_size)

    def inputs(self, num_examples: int) -> Any:
        """x of the first examples."""
        first = self.first(num_examples)
        return first[0] if isinstance(first, tuple) else first

    def batches(self, batch_size: int, shuffle_seed: int | None, *, keeps_order: bool = False) -> tf.data.Dataset:
        """The batches of one epoch of a data set, or of tensors in their order. Each epoch needs its own seed.

        Args:
            shuffle_seed: of a data set; None for no shuffle, neither ours nor the user's own.
            keeps_order: whether the order is the user's affair, with the shuffle of their own.
        """
        if not self.is_dataset:
            return gathered(self.source, tf.range(self.num_examples), batch_size)
        if (reader := getattr(self.source, READER, None)) is not None:
            return reader.batches(batch_size, shuffle_seed)
        examples = self.source
        if shuffle_seed is not None:
            examples = shuffled(examples, self.num_examples, shuffle_seed)
        elif not keeps_order:
            examples = unshuffled(examples)
        return batched(examples, batch_size, getattr(self.source, BATCHING, None)).prefetch(2)


class DeviceData:
    """Turns arrays into tensors on the device, each array once however many trials use it or its rows.

    Args:
        room: bytes that data may take there; None for as many as there are.

    Attributes:
        notes: which data had no room.
    """

    def __init__(self, room: float | None = None) -> None:
        self._room = room_bytes() if room is None else room
        self._tensors: dict[int, tuple[np.ndarray[Any, Any], Any]] = {}
        self._on_host: set[int] = set()
        self.notes: list[str] = []
        self._lengths: dict[int, tuple[weakref.ref[Any], int]] = {}

    def keep(self, part: Any, name: str) -> None:
        """Puts arrays that nobody changes on the device for good; slices of them are then free.

        Other kinds of data stay where they are.
        """
        if not isinstance(part, np.ndarray | dict | tuple):
            return
        new: dict[int, np.ndarray[Any, Any]] = {}
        for rows in tf.nest.flatten(_as_nest(part)):
            if (kept := self._kept(rows)) is None:
                new[id(rows)] = rows
            else:
                self._keep(rows, *kept)
        fits = self._takes(sum(map(tensor_bytes, new.values())), name)
        for rows in new.values():
            self._keep(rows, (to_device if fits else to_host)(rows, is_shared=True), not fits)

    def _keep(self, rows: np.ndarray[Any, Any], tensor: Any, is_on_host: bool) -> None:
        self._tensors[id(rows)] = (rows, tensor)
        if is_on_host:
            self._on_host.add(id(rows))

    def _takes(self, size_bytes: int, name: str) -> bool:
        """Whether so many bytes have room; they are then taken."""
        if size_bytes <= self._room:
            self._room -= size_bytes
            return True
        self.notes.append(
            f"the {name} data ({size_bytes / 2**20:.0f} MiB) stay in host memory, and their batches are sent to the"
            f" device: {self._room / 2**20:.0f} MiB of it are left for data"
        )
        return False

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
        found = [self._kept(rows) for rows in tf.nest.flatten(nest)]
        own = sum(tensor_bytes(rows) for rows, kept in zip(tf.nest.flatten(nest), found, strict=True) if kept is None)
        is_on_host = own > self._room or any(kept is not None and kept[1] for kept in found)
        if is_on_host:
            tensors = [
                kept[0] if kept is not None and kept[1] else to_host(rows, is_shared=kept is not None)
                for rows, kept in zip(tf.nest.flatten(nest), found, strict=True)
            ]
        else:
            tensors = [
                to_device(rows) if kept is None else kept[0]
                for rows, kept in zip(tf.nest.flatten(nest), found, strict=True)
            ]
        return Split(tf.nest.pack_sequence_as(nest, tensors), lengths[0], is_on_host)

    def _kept(self, rows: np.ndarray[Any, Any]) -> tuple[Any, bool] | None:
        """The tensor of a kept array, or of a run of rows of one a slice of it, and whether it lies in host memory."""
        for key, (base, tensor) in self._tensors.items():
            is_on_host = key in self._on_host
            first = 0 if rows is base else _first_row(rows, base)
            if first is None:
                continue
            if rows is base:
                return tensor, is_on_host
            with tf.device("CPU:0") if is_on_host else nullcontext():
                return tensor[first : first + len(rows)], is_on_host
        return None

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


def gathered(source: Any, order: Any, batch_size: int) -> tf.data.Dataset:
    """Batches of the rows of tensors, in an order."""

    def rows_of(rows: Any) -> Any:
        return tf.nest.map_structure(lambda array: tf.gather(array, rows), source)

    return tf.data.Dataset.from_tensor_slices(order).batch(batch_size).map(rows_of).prefetch(2)


def _first_row(rows: np.ndarray[Any, Any], base: np.ndarray[Any, Any]) -> int | None:
    """The row of `base` at which the view `rows` of a run of its rows begins; None if it is no such view."""
    alike = rows.dtype == base.dtype and rows.shape[1:] == base.shape[1:] and rows.strides == base.strides
    if not alike or not base.strides or base.strides[0] <= 0 or not np.may_share_memory(rows, base):
        return None
    offset = rows.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    first = offset // base.strides[0]
    return first if offset % base.strides[0] == 0 and 0 <= first <= len(base) - len(rows) else None
