"""Data as `keras.Model.fit` takes it, in an order that depends on a trial's seed and the epoch alone."""

from __future__ import annotations

import copy
import inspect
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import DataError
from trainables.training.device import DeviceData, Split, gathered

_SHARED_BYTES_MIN = 2**20
"""Larger arrays of a PyDataset are not copied for each trial."""


def is_for_fit(part: Any) -> str:
    """What makes a part of the data one that only `fit` takes; empty for none."""
    if isinstance(part, keras.utils.PyDataset):
        return "a keras.utils.PyDataset"
    if inspect.isgenerator(part) or (callable(part) and not isinstance(part, tf.data.Dataset)):
        return "made by a generator"
    return "batched already" if isinstance(part, tf.data.Dataset) and is_batched(part) else ""


def is_batched(examples: tf.data.Dataset, model: Any = None) -> bool:
    """Whether the elements of a data set are batches.

    A model that knows its inputs tells; else elements that `.batch()` made are, where their first axis is free: those
    of one length may be examples, such as windows.
    """
    shapes = [spec.shape for spec in tf.nest.flatten(examples.element_spec) if hasattr(spec, "shape")]
    if not shapes or any(shape.rank == 0 for shape in shapes):
        return False
    expected = getattr(model, "inputs", None)
    if expected and shapes[0].rank is not None:
        return bool(shapes[0].rank == len(expected[0].shape))
    if not all(shape.rank and shape[0] is None for shape in shapes):
        return False
    step: Any = examples
    while step is not None and "BatchDataset" not in (kind := type(step).__name__):
        step = None if "Unbatch" in kind else getattr(step, "_input_dataset", None)
    return step is not None


@dataclass(frozen=True)
class FitPart:
    """One part of the data, for one trial.

    Attributes:
        kind: arrays, examples (a tf.data.Dataset of single ones), batches (of batches), python (a PyDataset) or
            generator (the function that makes it).
    """

    kind: str
    source: Any

    @property
    def is_batched(self) -> bool:
        """Whether the data say the batch size, and no parameter does."""
        return self.kind not in ("arrays", "examples")

    def first(self) -> Any:
        """A small batch, to build a model with."""
        if self.kind in ("arrays", "examples"):
            return self.source.first(1)
        if self.kind == "python":
            return self.source.own[0]
        return next(iter(self.source if self.kind == "batches" else self.source()))

    def inputs(self) -> Any:
        """x of a small batch."""
        batch = self.first()
        x = batch[0] if isinstance(batch, tuple | list) else batch
        return tf.nest.map_structure(tf.convert_to_tensor, x)

    def steps(self, batch_size: int) -> int | None:
        """Batches of a pass over it; None where it does not say."""
        if self.kind in ("arrays", "examples"):
            return -(-int(self.source.num_examples) // batch_size)
        if self.kind == "python":
            count = self.source.num_batches
            return None if count is None else int(count)
        count = int(self.source.cardinality()) if self.kind == "batches" else -1
        return count if count >= 0 else None

    def epoch_examples(self, batch_size: int, steps: int | None) -> int:
        """Examples of an epoch of `steps` batches, or of all; 0 where that is not known.

        Of data in batches, a smaller one at the end counts as a whole one.
        """
        if self.is_batched:
            return batch_size * (steps or self.steps(batch_size) or 0)
        count = int(self.source.num_examples)
        return count if steps is None else min(count, batch_size * steps)

    def training(self, batch_size: int, seed: int, epoch: int, steps: int | None, shuffle: bool = True) -> Any:
        """The batches of an epoch, from 1; `steps` of them where that is set, going on where the last epoch ended."""
        order_seed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint32)[0])
        match self.kind:
            case "arrays":
                order = tf.range(self.source.num_examples)
                if shuffle:
                    order = tf.random.experimental.stateless_shuffle(order, [seed, epoch])
                return gathered(self.source.source, order, batch_size)
            case "examples":
                return self.source.batches(batch_size, order_seed if shuffle else None, keeps_order=not shuffle)
            case "batches":
                return self.source if steps is None else self.source.repeat().skip((epoch - 1) * steps)
            case "generator" if steps is not None:
                first = (epoch - 1) * steps
                return _generator(itertools.islice(_endless(self.source), first, first + steps))
            case "generator":
                return self.source()
        self.source.begin(order_seed if shuffle else None)
        return self.source

    def end_epoch(self, seed: int, epoch: int) -> None:
        """Tells a PyDataset that an epoch has ended, which may shuffle it; 0 for what Keras tells before the first."""
        if self.kind == "python":
            self.source.end(int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1, np.uint32)[0]))

    def validation(self, batch_size: int) -> Any:
        """The batches of a validation, in their own order."""
        match self.kind:
            case "arrays":
                return gathered(self.source.source, tf.range(self.source.num_examples), batch_size)
            case "examples":
                return self.source.batches(batch_size, None)
            case "generator":
                return self.source()
        return self.source


def fit_part(part: Any, name: str, device: DeviceData | None = None, model: Any = None) -> FitPart:
    """A part of the data for a new trial; what Python code shuffles in place is the trial's own.

    Args:
        model: the trial's, once it is there: it tells batches from examples.

    Raises:
        DataError: it cannot be read more than once, or as of `DeviceData.split`.
    """
    device = device or DeviceData(room=0)
    if isinstance(part, keras.utils.PyDataset):
        return FitPart("python", _Sequence(part))
    if inspect.isgenerator(part) or (isinstance(part, Iterator) and not isinstance(part, tf.data.Dataset)):
        raise DataError(
            f"{name} data must be readable by every epoch and trial, but a generator is read once: give the function"
            " that makes it"
        )
    if isinstance(part, tf.data.Dataset):
        return FitPart("batches", part) if is_batched(part, model) else FitPart("examples", device.split(part, name))
    if callable(part):
        return FitPart("generator", part)
    return FitPart("arrays", device.split(part, name))


def with_sample_weight(split: FitPart, weights: Any) -> FitPart:
    """Arrays with weights for their examples, in the order of the rows.

    Raises:
        ValueError: it is not of arrays, has weights already, or another length.
    """
    if split.kind != "arrays" or not isinstance(split.source.source, tuple) or len(split.source.source) != 2:
        raise ValueError("fit_options' sample_weight needs training data (x, y) of arrays without weights")
    rows = tf.convert_to_tensor(np.asarray(weights, keras.config.floatx()))
    if len(rows) != split.source.num_examples:
        raise ValueError(
            f"fit_options' sample_weight must have a weight for each of {split.source.num_examples} training examples,"
            f" but got {len(rows)}"
        )
    return FitPart("arrays", Split((*split.source.source, rows), split.source.num_examples))


def _endless(make: Callable[[], Any]) -> Iterator[Any]:
    """One generator after another."""
    while True:
        is_empty = True
        for batch in make():
            is_empty = False
            yield batch
        if is_empty:
            raise DataError("training data must hold at least one batch, but their generator gave none")


def _generator(batches: Iterator[Any]) -> Iterator[Any]:
    """As Keras wants it: a generator, and no other iterator."""
    yield from batches


class _Sequence(keras.utils.PyDataset):  # type: ignore[misc]
    """A trial's own copy of a PyDataset. Its order, and what it shuffles between epochs, depend on seeds alone."""

    def __init__(self, part: Any) -> None:
        super().__init__(part.workers, part.use_multiprocessing, part.max_queue_size)
        large = {id(value): value for value in vars(part).values() if getattr(value, "nbytes", 0) >= _SHARED_BYTES_MIN}
        self.own = copy.deepcopy(part, large)
        self._order: list[int] | None = None

    @property
    def num_batches(self) -> int | None:
        count = self.own.num_batches
        return None if count is None else int(count)

    def __getitem__(self, index: int) -> Any:
        return self.own[index if self._order is None else self._order[index]]

    def on_epoch_begin(self) -> None:
        self.own.on_epoch_begin()

    def begin(self, order_seed: int | None) -> None:
        """Puts the batches of an epoch into their order."""
        count = self.num_batches
        self._order = None
        if order_seed is not None and count is not None:
            self._order = np.random.default_rng(order_seed).permutation(count).tolist()

    def end(self, seed: int) -> None:
        """The end of an epoch. Keras tells it of more ends than there are, to its `on_epoch_end`."""
        random.seed(seed)
        np.random.seed(seed)
        self.own.on_epoch_end()
