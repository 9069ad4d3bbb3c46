"""Values in memory that all processes of a node map: arrays are written once, and read without a copy.

The memory has no name. It is gone with the last process that holds it, however that ends.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
from dataclasses import dataclass
from typing import Any

import cloudpickle
import numpy as np

_HEADER = struct.Struct("!QQ")
_PART = struct.Struct("!QQ")
_PAGE = mmap.PAGESIZE


@dataclass(frozen=True)
class Packed:
    """A value as bytes, and the arrays in it, each as one of bytes; the arrays are not copied."""

    content: bytes
    arrays: list[np.ndarray[Any, Any]]


def packed(value: Any) -> Packed:
    """Packs a value; classes and functions of a main file or a notebook go by value.

    Raises:
        Exception: whatever pickling raises.
    """
    buffers: list[pickle.PickleBuffer] = []
    content = cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return Packed(content, [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers])


def write_packed(value: Packed) -> int:
    """Writes a value; the number of the open file of its memory.

    Raises:
        OSError: there is not enough memory.
    """
    content, views = value.content, [memoryview(array) for array in value.arrays]  # type: ignore[arg-type]
    parts, at = [], _aligned(_HEADER.size + len(content) + _PART.size * len(views))
    for view in views:
        parts.append((at, view.nbytes))
        at = _aligned(at + view.nbytes)
    file = os.memfd_create("tuner-data")
    try:
        os.ftruncate(file, max(at, _PAGE))
        table = b"".join(_PART.pack(*part) for part in parts)
        _write(file, memoryview(_HEADER.pack(len(content), len(views)) + table + content), 0)
        for view, (begin, _) in zip(views, parts, strict=True):
            _write(file, view, begin)
    except BaseException:
        os.close(file)
        raise
    return file


def read_shared(file: int) -> Any:
    """The value; its arrays lie in the memory itself, and begin at a page each.

    They may be written to: the page is then copied for this process alone.
    """
    memory = mmap.mmap(file, 0, access=mmap.ACCESS_COPY)
    length, count = _HEADER.unpack_from(memory)
    parts = [_PART.unpack_from(memory, _HEADER.size + index * _PART.size) for index in range(count)]
    begin = _HEADER.size + count * _PART.size
    view = memoryview(memory)
    return pickle.loads(view[begin : begin + length], buffers=[view[at : at + size] for at, size in parts])


def _aligned(size: int) -> int:
    return -(-size // _PAGE) * _PAGE


def _write(file: int, view: memoryview, at: int) -> None:
    done = 0
    while done < view.nbytes:
        done += os.pwrite(file, view[done : done + (1 << 30)], at + done)
