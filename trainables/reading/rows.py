"""Decoded examples as rows of one size in a file, written once and read by position.

Rows are read with `pread` into memory of a batch: what is read never counts as memory of the process, however large the
file is.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading import node_cache
from trainables.reading.node_cache import META, TooLargeError

Array = np.ndarray[Any, Any]

_ROWS, _HASHES = "rows.bin", "hashes.npy"


@dataclass
class Rows:
    """Rows of a file.

    Attributes:
        dtype: of a row; a structured type, whose fields are the arrays of an example.
        as_dtype: what the fields become when they are read, by name; as they are where it says nothing.
    """

    path: Path
    dtype: np.dtype[Any]
    count: int
    digest: str
    as_dtype: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    hashes: Array = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)
    """A hash of each row, of shape (count,)."""

    def __post_init__(self) -> None:
        self._number = os.open(self.path, os.O_RDONLY)  # as long as the rows are used, by forks as well
        weakref.finalize(self, os.close, self._number)

    @property
    def decoded_bytes(self) -> int:
        """What all rows need in memory."""
        shapes = {name: self.dtype[name] for name in self.dtype.names or ()}
        sizes = [
            int(np.prod(form.shape, dtype=int)) * np.dtype(self.as_dtype.get(name, form.base)).itemsize
            for name, form in shapes.items()
        ]
        return self.count * sum(sizes)

    def read(self, positions: Array) -> dict[str, Array]:
        """The arrays of these rows, in this order, with the types that they have in the file.

        Raises:
            DataError: the file is not what it was when it was written.
        """
        rows = np.empty(len(positions), self.dtype)
        size = self.dtype.itemsize
        view = memoryview(rows.view(np.uint8).reshape(-1).data)
        for first, position, count in _runs(positions):
            target = view[first * size : (first + count) * size]
            if os.preadv(self._number, [target], position * size) != len(target):
                raise DataError(f"{self.path}: must hold {self.count} rows of {size} bytes, but was cut: remove it")
        return {name: rows[name] for name in self.dtype.names or ()}

    def load(self, positions: Array) -> dict[str, Array]:
        """The arrays of these rows as they are trained on; faster than `read` for many, but counts as memory."""
        with mmap.mmap(self._number, 0, prot=mmap.PROT_READ) as mapped:
            rows = np.frombuffer(mapped, self.dtype)[positions]
        return {
            name: rows[name].astype(self.as_dtype.get(name, rows[name].dtype), order="C")
            for name in self.dtype.names or ()
        }


def _runs(positions: Array) -> Iterator[tuple[int, int, int]]:
    """Runs of successive positions: the first of each, its position, and its length."""
    if not len(positions):
        return
    starts = np.flatnonzero(np.diff(positions, prepend=positions[0] - 2) != 1)
    for first, end in zip(starts, [*starts[1:], len(positions)], strict=True):
        yield int(first), int(positions[first]), int(end - first)


def decoded(
    key: str,
    batches: Callable[[], Iterable[dict[str, Array]]],
    as_dtype: dict[str, str] | None = None,
    facts: dict[str, Any] | None = None,
) -> Rows | None:
    """The rows that decoding gives, from this machine's cache; None if they are larger than it may be.

    Args:
        key: names all that decides what the rows are.
        batches: begins to decode; each batch has arrays by name, whose first axis counts examples.
        as_dtype: see `Rows`.
        facts: what else is kept with the rows, as JSON; `batches` may fill it.
    """
    as_dtype, facts = as_dtype or {}, {} if facts is None else facts

    def make(folder: Path, room: int) -> None:
        _write(folder, room, batches(), as_dtype, facts)

    return node_cache.entry(key, make, _opened)


def _write(
    folder: Path, room: int, batches: Iterable[dict[str, Array]], as_dtype: dict[str, str], facts: dict[str, Any]
) -> None:
    digest, hashes, dtype, count = hashlib.blake2b(digest_size=20), [], None, 0
    with open(folder / _ROWS, "wb") as file:
        for batch in batches:
            own = np.dtype([(name, array.dtype, array.shape[1:]) for name, array in batch.items()])
            dtype = dtype or own
            assert own == dtype, f"rows of {own} among rows of {dtype}"
            rows = np.empty(len(next(iter(batch.values()))), dtype)
            for name, array in batch.items():
                rows[name] = array
            count += len(rows)
            if count * dtype.itemsize > room:
                raise TooLargeError
            data = rows.tobytes()
            digest.update(data)
            hashes.append(hashes_of(rows))
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    assert dtype is not None, "no rows"
    np.save(folder / _HASHES, np.concatenate(hashes))
    fields = [[name, dtype[name].base.str, list(dtype[name].shape)] for name in dtype.names or ()]
    meta = {"fields": fields, "count": count, "digest": digest.hexdigest(), "as_dtype": as_dtype, "facts": facts}
    (folder / META).write_text(json.dumps(meta))


def hashes_of(rows: Array) -> Array:
    """A hash of each of these rows, of 64 bits."""
    flat = rows.view(np.uint8).reshape(len(rows), -1)
    return np.array(
        [int.from_bytes(hashlib.blake2b(row.data, digest_size=8).digest(), "little") for row in flat], np.uint64
    )


def _opened(folder: Path) -> Rows:
    meta = json.loads((folder / META).read_text())
    dtype = np.dtype([(name, base, tuple(shape)) for name, base, shape in meta["fields"]])
    path = folder / _ROWS
    if path.stat().st_size != meta["count"] * dtype.itemsize:
        raise DataError(f"{path}: must hold {meta['count']} rows of {dtype.itemsize} bytes, but was cut: remove it")
    return Rows(
        path,
        dtype,
        meta["count"],
        meta["digest"],
        meta["as_dtype"],
        meta["facts"],
        np.load(folder / _HASHES, allow_pickle=False),
    )
