"""Arrays in an `.npz` file that nobody vouches for: their sizes are known before anything is read or expanded.

`numpy.savez` stores entries as they are, so each is as large in memory as in the file. One that is compressed, and may
expand to any size, is not read by `StoredArrays`.
"""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

ENTRIES_MAX = 100_000
"""No model has so many variables."""
HEADER_BYTES_MAX = 2**16 - 1
"""Of an array's own header, which names its type and shape; NumPy's older format holds no more."""

_ENTRY_BYTES_MAX = 128
"""Of an entry in the directory at the file's end; names are short."""
_LOCAL_BYTES = 30
"""What stands before an entry's name."""
_AXES_MAX = 64
_JSON_BYTES_MAX = 2**16
_END_BYTES, _LOCATOR_BYTES, _END_64_BYTES = 22, 20, 56
_CHUNK_BYTES = 2**20


class StoredError(ValueError):
    """The file is damaged, or not one of stored arrays."""


class ObjectsError(StoredError):
    """An array holds Python objects."""


@dataclass(frozen=True)
class ArrayHeader:
    """What an array in a file says of itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    size_bytes: int
    """Of the header itself."""

    @property
    def nbytes(self) -> int:
        """Of its numbers."""
        return math.prod(self.shape) * self.dtype.itemsize


class StoredArrays:
    """The arrays of an open file, by name. Opening it reads their headers; `read` and `check` read what is behind them.

    Args:
        file: seekable; stays open as long as this is used.

    Raises:
        StoredError: it is no such file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        size = file.seek(0, io.SEEK_END)
        if (found := directory_bytes(file, size)) > ENTRIES_MAX * _ENTRY_BYTES_MAX:
            raise StoredError(f"must hold at most {ENTRIES_MAX} arrays, but its directory has {found} bytes")
        try:
            self._archive = zipfile.ZipFile(file)
            entries = self._archive.infolist()
            _check_entries(entries, size)
            self.headers = {info.filename.removesuffix(".npy"): self._header(info) for info in entries}
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, struct.error) as error:
            raise StoredError(f"cannot be read: {error}") from error

    def read(self, name: str) -> np.ndarray[Any, Any]:
        """An array, whose checksum holds.

        Raises:
            StoredError: it is damaged.
        """
        header = self.headers[name]
        numbers = bytearray(header.nbytes)
        at = 0
        for chunk in self._chunks(name):
            numbers[at : at + len(chunk)] = chunk
            at += len(chunk)
        try:
            flat = np.frombuffer(numbers, header.dtype, math.prod(header.shape))
            return flat.reshape(header.shape, order="F" if header.is_fortran else "C")
        except ValueError as error:
            raise StoredError(f"{name} cannot be read: {error}") from error

    def check(self, name: str) -> None:
        """Reads an array for its checksum alone, a piece at a time.

        Raises:
            StoredError: it is damaged.
        """
        for _ in self._chunks(name):
            pass

    def _chunks(self, name: str) -> Iterator[bytes]:
        """What stands behind an array's header, a piece at a time; zipfile holds the checksum against all of it."""
        try:
            with self._archive.open(f"{name}.npy") as entry:
                entry.read(self.headers[name].size_bytes)
                while chunk := entry.read(_CHUNK_BYTES):
                    yield chunk
        except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
            raise StoredError(f"{name} cannot be read: {error}") from error

    def _header(self, info: zipfile.ZipInfo) -> ArrayHeader:
        with self._archive.open(info) as entry:
            header = read_array_header(entry, info.filename)
        if header.size_bytes + header.nbytes != info.file_size:
            raise StoredError(
                f"{info.filename}: its shape {header.shape} needs {header.nbytes} bytes,"
                f" but the file holds {info.file_size - header.size_bytes}"
            )
        return header


def read_header(arrays: StoredArrays) -> dict[str, Any]:
    """The JSON object that a checkpoint's array `header` holds.

    Raises:
        StoredError: there is none, or it is no small JSON object.
    """
    known = arrays.headers.get("header")
    if known is None or known.dtype.kind != "U" or known.shape != () or known.nbytes > _JSON_BYTES_MAX:
        raise StoredError(f"must hold a header of at most {_JSON_BYTES_MAX} bytes of text, but got {known}")
    try:
        header = json.loads(str(arrays.read("header")))
    except (ValueError, RecursionError) as error:
        raise StoredError(f"its header must be JSON: {error}") from error
    if not isinstance(header, dict):
        raise StoredError(f"its header must be a JSON object, but got {type(header).__name__}")
    return header


def directory_bytes(file: IO[bytes], size: int) -> int:
    """The length of a zip file's directory as its last bytes say it, before zipfile makes an object of each entry.

    Raises:
        StoredError: it does not end as a zip file does that `numpy.savez` wrote, without a comment.
    """
    tail_bytes = min(size, _END_BYTES + _LOCATOR_BYTES + _END_64_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    end = tail[-_END_BYTES:]
    if len(end) < _END_BYTES or end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise StoredError("File is not a zip file, or was cut")
    locator = tail[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES]
    if locator[:4] != b"PK\x06\x07":
        return int(struct.unpack("<L", end[12:16])[0])
    end_64 = tail[: -_END_BYTES - _LOCATOR_BYTES]
    if len(end_64) < _END_64_BYTES or end_64[:4] != b"PK\x06\x06":
        raise StoredError("File is not a zip file, or was cut")
    return int(struct.unpack("<Q", end_64[40:48])[0])


def read_array_header(entry: IO[bytes], name: str) -> ArrayHeader:
    """What an array says of itself at its beginning; reads no more of it.

    Raises:
        StoredError: that cannot be understood, is of objects, which only a pickle could hold, or has no bounds.
    """
    start = entry.read(10)
    if len(start) < 10 or start[:6] != b"\x93NUMPY" or start[6] not in (1, 2, 3):
        raise StoredError(f"{name}: is no array of numpy.save")
    start += entry.read(2) if start[6] > 1 else b""
    length = int.from_bytes(start[8:], "little")
    if length > HEADER_BYTES_MAX:
        raise StoredError(f"{name}: its header must have at most {HEADER_BYTES_MAX} bytes, but says {length}")
    text = io.BytesIO(start + entry.read(length))
    try:
        np.lib.format.read_magic(text)
        read = np.lib.format.read_array_header_1_0 if start[6] == 1 else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(text)
    except Exception as error:  # NumPy hands the text to Python's parser, which may raise nearly anything
        raise StoredError(f"{name}: its header cannot be read: {' '.join(str(error).split())[:200]}") from error
    if dtype.hasobject:
        raise ObjectsError(f"{name} must be an array of numbers, but got objects, which only a pickle could hold")
    if len(shape) > _AXES_MAX or not all(0 <= length < 2**63 for length in shape):
        raise StoredError(f"{name}: its shape must be at most {_AXES_MAX} sizes from 0, each of 63 bits")
    if not dtype.itemsize and 0 not in shape:
        raise StoredError(f"{name}: its values must have a size, but are {dtype}")
    return ArrayHeader(dtype, shape, is_fortran, text.tell())


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Stored as they are, each once, within the file, and none within another."""
    if len(entries) > ENTRIES_MAX:
        raise StoredError(f"must hold at most {ENTRIES_MAX} arrays, but got {len(entries)}")
    names: set[str] = set()
    end = 0
    for info in sorted(entries, key=lambda info: info.header_offset):
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise StoredError(f"{info.filename[:100]!r}: must be stored as it is, but is compressed or encrypted")
        if not info.filename.endswith(".npy") or info.filename in names:
            raise StoredError(f"{info.filename[:100]!r}: must be an array, and the only one of its name")
        if info.header_offset < end:
            raise StoredError(f"{info.filename[:100]!r}: overlaps another array")
        names.add(info.filename)
        end = info.header_offset + _LOCAL_BYTES + len(info.filename) + info.file_size
        if end > size:
            raise StoredError(f"{info.filename[:100]!r}: must end within the file, but says {info.file_size} bytes")
