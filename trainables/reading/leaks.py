"""Examples of the validation or test data that are in the training data, too. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_DISTINCT_MIN = 0.5
"""Where fewer training examples are distinct, equal ones say nothing: such as a table of two columns of yes and no."""
_BLOCK_BYTES = 4 * 2**20
_MASK = 2**64 - 1
_ODD = np.uint64(0x9E3779B97F4A7C15)
"""Fibonacci hashing's multiplier."""


def leak_notes(hashes: Mapping[str, Array]) -> list[str]:
    """A line for each part with examples of the training data.

    Args:
        hashes: of the inputs of each example, by part: train, validation, test.
    """
    train = np.unique(hashes["train"])
    if len(train) < _DISTINCT_MIN * len(hashes["train"]):
        return []
    notes = []
    for part, of_part in hashes.items():
        count = int(np.isin(of_part, train).sum()) if part != "train" else 0
        if count:
            be = "is" if count == 1 else "are"
            text = f"{count} of {len(of_part)} {part} examples {be} in the training data, too (equal x)"
            notes.append(f"{text}; the {part} figures will look better than they are")
    return notes


def row_hashes(arrays: Sequence[Array]) -> Array:
    """A hash of each example of some arrays together, of shape (examples,); equal for equal examples."""
    found = np.full(len(arrays[0]), 0, np.uint64)
    for number, array in enumerate(arrays):
        found = found * _ODD + (_of_objects(array) if array.dtype.kind == "O" else _of_bytes(array, number))
    return found


def _of_objects(array: Array) -> Array:
    flat = array.reshape(len(array), -1)
    return np.array([hash(tuple(map(str, row))) & _MASK for row in flat], np.uint64)


def _of_bytes(array: Array, number: int) -> Array:
    """Each row's bytes as words of 64 bits, mixed one by one, weighted by odd numbers and added up."""
    found = np.empty(len(array), np.uint64)
    row_bytes = max(1, array.nbytes // len(array))
    num_words = -(-row_bytes // 8)
    weights = _mixed(np.arange(1, num_words + 1, dtype=np.uint64) + np.uint64(number << 32)) | np.uint64(1)
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, len(array), step):
        rows = np.ascontiguousarray(array[start : start + step])
        words = np.full((len(rows), num_words * 8), 0, np.uint8)
        words[:, :row_bytes] = rows.reshape(len(rows), -1).view(np.uint8)
        found[start : start + step] = (_mixed(words.view(np.uint64)) * weights).sum(axis=1, dtype=np.uint64)
    return found


def _mixed(words: Array) -> Array:
    mixed: Array = (words ^ (words >> np.uint64(31))) * _ODD
    mixed ^= mixed >> np.uint64(29)
    return mixed
