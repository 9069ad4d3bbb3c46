"""A few batches of the data, with the rest that the last batch of an epoch has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from trainables.contract import Data

EVALUATED_MAX = 10_000
"""Examples that a trainable's own `evaluate` is tried on: scores of a few batches may not exist, as with one class."""


def num_rows(length: int, batch_size: int) -> int:
    """How many examples make one whole batch and, after it, the smaller last one of all examples, if there is one."""
    return length if length <= batch_size else batch_size + length % batch_size


def cut(data: Data, batch_size: int, evaluates: bool = False) -> Data:
    """The first examples of each part; of a data set as many, of what is neither arrays nor a data set all.

    Args:
        evaluates: whether the trainable has an `evaluate`, which is given more to validate and to test.
    """
    size = batch_size * max(1, EVALUATED_MAX // batch_size) if evaluates else batch_size
    parts = {name: _cut(getattr(data, name), size) for name in ("validation", "test")}
    return replace(data, train=_cut(data.train, batch_size), **parts)


def _cut(part: Any, batch_size: int) -> Any:
    if hasattr(part, "cardinality"):
        length = int(part.cardinality())
        return part.take(num_rows(length, batch_size) if length > 0 else 2 * batch_size)
    leaves = list(_leaves(part))
    if not leaves or not all(isinstance(leaf, np.ndarray) and leaf.ndim for leaf in leaves):
        return part
    count = num_rows(len(leaves[0]), batch_size)
    return _mapped(part, lambda rows: rows[:count])


def _leaves(part: Any) -> Any:
    if isinstance(part, tuple | list):
        for value in part:
            yield from _leaves(value)
    elif isinstance(part, dict):
        yield from _leaves(list(part.values()))
    elif part is not None:
        yield part


def _mapped(part: Any, function: Any) -> Any:
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        return type(part)(*(_mapped(value, function) for value in part))
    if isinstance(part, tuple | list):
        return type(part)(_mapped(value, function) for value in part)
    if isinstance(part, dict):
        return {name: _mapped(value, function) for name, value in part.items()}
    return part if part is None else function(part)
