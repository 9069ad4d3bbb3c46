"""Checkpoints of scripts: the folder, or file, of the newest epoch that has one, and of the best, in a tar archive.

The archive begins with a header, `tuner-checkpoint.json`. Then follow `EPOCH/folder/…` or `EPOCH/file/NAME`.
"""

from __future__ import annotations

import io
import json
import math
import os
import tarfile
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

BYTES_MAX = 2 << 30
"""A larger checkpoint is refused: the worker holds it in memory while it is written to storage."""
FILES_MAX = 100_000
ARCHIVE_BYTES_MAX = 3 * BYTES_MAX
"""No archive is larger: two checkpoints, and what names and padding take."""
_HEADER = "tuner-checkpoint.json"
_FORMAT = 1
_FOLDER, _FILE = "folder", "file"


class ArchiveError(Exception):
    """A checkpoint cannot be packed, or an archive is damaged or none of ours."""


@dataclass(frozen=True)
class Header:
    """How far a trial was.

    Attributes:
        epoch: that of the newest checkpoint; 0 where the archive has the best one alone.
        best_epoch: that of the best epoch's checkpoint; 0 for none.
        top_epoch: the best epoch so far, with or without a checkpoint; 0 for none.
        top_value: its objective; NaN for none.
    """

    epoch: int = 0
    best_epoch: int = 0
    top_epoch: int = 0
    top_value: float = math.nan


class Packed:
    """The files of one checkpoint, copied to a file without a name, which is gone with this process.

    Raises:
        ArchiveError: they are not there, cannot be read, or are too large.
    """

    def __init__(self, path: str | Path, epoch: int) -> None:
        self.epoch = epoch
        kind = _kind(str(path))
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the finalizer closes it
        weakref.finalize(self, self._file.close)
        place = f"{epoch:06d}/{kind}"
        try:
            with tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                name = place if kind == _FOLDER else f"{place}/{os.path.basename(path)}"
                archive.add(str(path), name, filter=_plain)
                self._size = archive.offset
        except (OSError, tarfile.TarError) as error:
            raise ArchiveError(f"the checkpoint {path} cannot be read: {error}") from error
        self._file.flush()

    def members(self) -> bytes:
        """The members of the archive, without its end."""
        parts, at = [], 0
        while at < self._size and (part := os.pread(self._file.fileno(), self._size - at, at)):
            parts.append(part)
            at += len(part)
        return b"".join(parts)


@dataclass(frozen=True)
class ScriptSnapshot:
    """A trial as it stands, whose script may go on while this is written."""

    header: Header
    parts: tuple[Packed, ...]

    def to_bytes(self) -> bytes:
        """The bytes of an archive."""
        head = asdict(self.header) | {"format": _FORMAT}
        if not math.isfinite(self.header.top_value):
            head["top_value"] = None
        text = json.dumps(head).encode()
        info = tarfile.TarInfo(_HEADER)
        info.size = len(text)
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(info, io.BytesIO(text))
            size = archive.offset
        end = bytes(2 * tarfile.BLOCKSIZE)
        return b"".join([file.getvalue()[:size], *(part.members() for part in self.parts), end])


@dataclass(frozen=True)
class Unpacked:
    """An archive's content below a folder: the paths of the checkpoints that it has."""

    header: Header
    newest: Path | None
    best: Path | None


def unpack(data: bytes, into: Path) -> Unpacked:
    """Writes an archive's files below a folder.

    Raises:
        ArchiveError: the archive is damaged, or not ours.
    """
    with _opened(io.BytesIO(data)) as (archive, header):
        archive.extractall(into, filter="data")
        return Unpacked(header, _place(into, header.epoch), _place(into, header.best_epoch))


def read_whole(file: IO[bytes]) -> tuple[Header, set[int]]:
    """The header of an archive and the epochs of its checkpoints, once all of it has been read.

    Raises:
        ArchiveError: it is damaged, or not ours.
    """
    with _opened(file) as (archive, header):
        epochs = set()
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            while content is not None and content.read(1 << 20):
                pass
            if member.name != _HEADER:
                epochs.add(int(member.name.partition("/")[0]))
    return header, epochs


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, Header]]:
    """An archive and its header; whatever is wrong with it is an ArchiveError."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            first = archive.next()
            content = archive.extractfile(first) if first is not None and first.name == _HEADER else None
            if content is None:
                raise ValueError("it does not begin as Tuner's do")
            found = json.loads(content.read(1 << 16))
            if (known := found.pop("format")) != _FORMAT:
                raise ValueError(f"its format is {known}, not {_FORMAT}")
            found["top_value"] = math.nan if found["top_value"] is None else float(found["top_value"])
            yield archive, Header(**found)
    except Exception as error:  # a flipped bit may be anything to tar and JSON
        raise ArchiveError(f"must be a whole checkpoint, but cannot be read: {error}") from error


def _place(folder: Path, epoch: int) -> Path | None:
    """The folder or the file of an epoch's checkpoint; None if there is none."""
    place = folder / f"{epoch:06d}"
    if not place.is_dir():
        return None
    if (place / _FOLDER).is_dir():
        return place / _FOLDER
    [name] = os.listdir(place / _FILE)
    return place / _FILE / name


def _kind(path: str) -> str:
    """Whether a checkpoint is a folder or a file, within bounds."""
    if not os.path.exists(path):
        raise ArchiveError(f"the checkpoint must be a folder or a file, but there is none: {path}")
    size_bytes = files = 0
    for size in _sizes(path):
        size_bytes, files = size_bytes + size, files + 1
    if size_bytes > BYTES_MAX:
        raise ArchiveError(f"the checkpoint {path} must have at most {BYTES_MAX >> 30} GiB, but has {size_bytes} bytes")
    if files > FILES_MAX:
        raise ArchiveError(f"the checkpoint {path} must have at most {FILES_MAX} files, but has {files}")
    return _FOLDER if os.path.isdir(path) else _FILE


def _sizes(path: str) -> Iterator[int]:
    if not os.path.isdir(path):
        yield os.path.getsize(path)
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue  # a temporary file that is gone by now


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without owners, and without sockets, pipes and devices."""
    if not (info.isfile() or info.isdir() or info.issym() or info.islnk()):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
