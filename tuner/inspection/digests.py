"""Digests of the arrays that a trainable loads: shape, type and a hash of each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from trainables.contract import READER, Data
from tuner.inspection.shapes import is_python, leaves

WHOLE_BYTES = 256 << 20
"""An array up to this size is hashed whole."""
BLOCKS, BLOCK_BYTES = 256, 1 << 20
"""Of a larger one so many blocks, spread evenly from its first example to its last."""
ROWS_BYTES = 16 << 20
"""What is hashed at a time, of an array that does not lie in one piece."""
_THREADS = 4

Array = np.ndarray[Any, Any]


def array_digests(data: Data) -> dict[str, dict[str, Any]]:
    """By the name of each array, such as train.x: `shape`, `dtype`, `blake2b` and `whole`.

    Of a tf.data.Dataset, which would have to be run for it, only its `element_spec`; of rows that are streamed from
    disk the digest that they were written with, too.
    """
    arrays: dict[str, Array] = {}
    found: dict[str, dict[str, Any]] = {}
    for part in ("train", "validation", "test"):
        value = getattr(data, part)
        if value is None:
            continue
        if is_python(value):
            found[part] = {"made_by": type(value).__name__, "whole": False}
            continue
        if hasattr(value, "element_spec"):
            found[part] = {"element_spec": str(value.element_spec)[:2000], "whole": False}
            if (reader := getattr(value, READER, None)) is not None:
                found[part] |= {"blake2b": reader.digest, "whole": True}
            continue
        names = ("x", "y", "sample_weight")
        for name, leaf in leaves(dict(zip(names, value, strict=False)) if isinstance(value, tuple) else value):
            arrays[f"{part}.{name}".rstrip(".")] = np.asarray(leaf)
    with ThreadPoolExecutor(_THREADS) as pool:  # hashing does without the GIL
        return found | dict(zip(arrays, pool.map(array_digest, arrays.values()), strict=True))


def array_digest(array: Array) -> dict[str, Any]:
    """One array's shape, type and hash."""
    digest = hashlib.blake2b(digest_size=20)
    is_whole = array.nbytes <= WHOLE_BYTES
    for block in _rows(array) if is_whole else _spread(array):
        digest.update(block)
    return {"shape": list(array.shape), "dtype": str(array.dtype), "blake2b": digest.hexdigest(), "whole": is_whole}


def _rows(array: Array) -> Iterator[Any]:
    """All bytes, in pieces."""
    if array.dtype.kind == "O":
        yield repr(array.tolist()).encode(errors="surrogateescape")
    elif array.flags.c_contiguous and array.size:
        yield array.reshape(-1).view(np.uint8)
    elif array.size:
        rows = max(1, ROWS_BYTES // max(1, array.nbytes // len(array)))
        for start in range(0, len(array), rows):
            yield np.ascontiguousarray(array[start : start + rows]).reshape(-1).view(np.uint8)


def _spread(array: Array) -> Iterator[Any]:
    rows = max(1, BLOCK_BYTES // max(1, array.nbytes // len(array)))
    for start in np.linspace(0, max(0, len(array) - rows), BLOCKS).astype(int):
        yield from _rows(array[start : start + rows])
