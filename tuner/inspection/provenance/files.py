"""Digests of data where it lies: a file, a folder, an object in a bucket. What they cost is bounded; see each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from trainables.built_in import NAMES

WHOLE_BYTES = 64 << 20
"""A file up to this size is read whole."""
END_BYTES = 1 << 20
"""Of a larger one so much at its beginning and at its end, and blocks spread evenly between."""
BLOCKS, BLOCK_BYTES = 64, 1 << 16
FOLDER_FILES = 10_000
"""Of a folder so many files are looked at, in the order of their names; the rest is counted."""
FOLDER_BYTES = 64 << 20
"""So much of a folder's files is read, each at its beginning and its end."""
_LEAST_BYTES = 4 << 10


def source_digest(data: str | None) -> dict[str, Any]:
    """What a spec's `data` is today.

    `kind` is none, built-in, file, folder, object (in a bucket) or missing. Files have `size_bytes`, `mtime`, `sha256`
    and `whole`, which tells whether all of it was read.
    """
    if data is None:
        return {"kind": "none"}
    if data in NAMES:
        return {"kind": "built-in", "name": data}
    if "://" in data:
        return _object(data)
    path = Path(os.path.expanduser(data))
    try:
        if path.is_dir():
            return {"kind": "folder", **folder_digest(path)}
        if not path.is_file():
            return {"kind": "missing"}
        return {"kind": "file", **file_digest(path)}
    except OSError as error:
        return {"kind": "missing", "why": error.strerror or str(error)}


def file_digest(path: Path) -> dict[str, Any]:
    """A file's size, time and SHA-256, of parts of it if it is large.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        size_bytes = status.st_size
        digest = hashlib.sha256()
        for start, length in _parts(size_bytes, END_BYTES if size_bytes > WHOLE_BYTES else size_bytes):
            _read_into(digest, file, start, length)
        if size_bytes > WHOLE_BYTES:
            for block in range(BLOCKS):
                _read_into(digest, file, (block + 1) * (size_bytes // (BLOCKS + 1)), BLOCK_BYTES)
    return {
        "size_bytes": size_bytes,
        "mtime": round(status.st_mtime, 6),
        "sha256": digest.hexdigest(),
        "whole": size_bytes <= WHOLE_BYTES,
    }


def folder_digest(folder: Path) -> dict[str, Any]:
    """A folder's files: their names and sizes, the ends of each, and their times, each as one digest.

    Raises:
        OSError: one cannot be read.
    """
    names = sorted(_files(folder))
    looked_at = names[:FOLDER_FILES]
    end_bytes = max(_LEAST_BYTES, min(END_BYTES, FOLDER_BYTES // max(1, 2 * len(looked_at))))
    sizes, contents, times = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    total_bytes, is_whole = 0, len(names) == len(looked_at)
    for name in looked_at:
        with open(folder / name, "rb") as file:
            status = os.fstat(file.fileno())
            sizes.update(f"{name}\0{status.st_size}\n".encode(errors="surrogateescape"))
            times.update(f"{name}\0{status.st_mtime:.6f}\n".encode(errors="surrogateescape"))
            for start, length in _parts(status.st_size, end_bytes):
                _read_into(contents, file, start, length)
            is_whole &= status.st_size <= 2 * end_bytes
            total_bytes += status.st_size
    return {
        "files": len(names),
        "size_bytes": total_bytes,
        "names_sha256": sizes.hexdigest(),
        "sha256": contents.hexdigest(),
        "mtimes_sha256": times.hexdigest(),
        "whole": is_whole,
    }


def _object(url: str) -> dict[str, Any]:
    """What the store says of the object's version; nothing is downloaded."""
    from trainables import remote
    from trainables.contract import DataError

    try:
        return {"kind": "object", "version": remote.version(url)}
    except DataError:
        return {"kind": "missing"}


def _parts(size_bytes: int, end_bytes: int) -> Iterator[tuple[int, int]]:
    """The beginning and the end, as (start, length); all of a file that is no longer than both."""
    if size_bytes <= 2 * end_bytes:
        yield 0, size_bytes
    else:
        yield 0, end_bytes
        yield size_bytes - end_bytes, end_bytes


def _read_into(digest: Any, file: IO[bytes], start: int, length: int) -> None:
    file.seek(start)
    while length > 0 and (block := file.read(min(length, 1 << 20))):
        digest.update(block)
        length -= len(block)


def _files(folder: Path) -> Iterator[str]:
    """The names of all files below a folder, relative to it; links to other folders are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.is_file():
                yield path.relative_to(folder).as_posix()
