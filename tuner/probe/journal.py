"""The probes of a storage root: durable files that are added and never changed. The newest of a trainable counts."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tuner.base.coupling import Coupling
from tuner.base.errors import StorageError
from tuner.base.words import Params, shown
from tuner.probe.result import ProbeFormatError, ProbeResult, from_data
from tuner.probe.suggestions import Suggestions
from tuner.storage import StorageRoot, names, read_bytes, write_atomically

BYTES_MAX = 16 << 20
"""A larger file is no probe."""
NAME = "probe"
"""What `search.warm_start` calls the probe of a sweep's own trainable and data."""


@dataclass(frozen=True)
class JournalledProbe:
    """A probe as the storage root has it."""

    result: ProbeResult
    points: list[Params]
    """The configurations that a sweep may begin with, as they were suggested then."""
    path: str
    coupling: tuple[str, int] | None = None
    """As of `Suggestions`: the points' rates are those of its base."""

    def trained_rate(self, point: Params) -> Any:
        """The rate that a point is to be trained with; None if it has none."""
        rate, batch_size = point.get("learning_rate"), point.get("batch_size")
        if self.coupling is None or not isinstance(rate, float) or not isinstance(batch_size, int):
            return rate
        return rate * Coupling(*self.coupling).factor(batch_size)

    @property
    def at(self) -> str:
        """When it ended, for people: 2026-01-31 12:30."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.result.at))


class _Probed(msgspec.Struct):
    result: dict[str, Any]
    points: list[Params]
    event: str = "probed"
    coupling: tuple[str, int] | None = None


def prepare(root: StorageRoot) -> None:
    """Makes sure that a probe can be recorded, before there is one.

    Raises:
        StorageError: the storage root cannot be written.
    """
    if isinstance(path := root.probes, Path):
        try:
            path.mkdir(parents=True, exist_ok=True)
            reason = "" if os.access(path, os.W_OK) else "it is not"
        except OSError as error:
            reason = str(error.strerror or error)
        if reason:
            raise StorageError(f"{root.path}: the storage root must be writable, but {reason}")


def record(root: StorageRoot, suggestions: Suggestions) -> None:
    """Adds a probe; durable on return. A probe of the same trainable and data that ended before counts no more.

    Raises:
        StorageError: the storage root cannot be written.
    """
    result = suggestions.result
    points = [dict(point) for point in suggestions.points]
    data = msgspec.json.encode(_Probed(result.as_data(), points, coupling=suggestions.coupling)) + b"\n"
    prepare(root)
    write_atomically(root.probes / _name(result), data, _base(root))


def newest(root: StorageRoot, trainable: str, data: str | None) -> JournalledProbe | None:
    """The newest probe of a trainable with these data; None if there is none.

    Raises:
        StorageError: it is damaged, or cannot be read.
    """
    for name in sorted(names(root.probes, _base(root)), reverse=True):
        if name.split("-")[0] == _digest(trainable, data) and name.endswith(".json"):
            return _read(root, name)
    return None


def probed(root: StorageRoot) -> list[str]:
    """What the root has probes of, for messages: `digits`, `mlp with data 'mnist'`.

    Raises:
        StorageError: the root cannot be listed.
    """
    return sorted({_what(found.result.trainable, found.result.data) for found in _latest(root)})


def no_probe(root: StorageRoot, trainable: str, data: str | None) -> str:
    """That the root has no probe of these, what it has, and the way on."""
    others = probed(root)
    has = f", only of {', '.join(others[:5])}" if others else ""
    return (
        f"there is no probe of {_what(trainable, data)} in {root.path}{has}: measure one with `tuner probe`, or leave"
        " it out"
    )


def _latest(root: StorageRoot) -> Iterator[JournalledProbe]:
    """The newest probe of each trainable and data; damaged ones are left out."""
    seen = set()
    for name in sorted(names(root.probes, _base(root)), reverse=True):
        if name.endswith(".json") and (digest := name.split("-")[0]) not in seen:
            seen.add(digest)
            try:
                yield _read(root, name)
            except StorageError:
                continue


def _read(root: StorageRoot, name: str) -> JournalledProbe:
    path = root.probes / name
    try:
        found = msgspec.json.decode(read_bytes(path, _base(root), bytes_max=BYTES_MAX), type=_Probed)
        return JournalledProbe(from_data(found.result), found.points, str(path), found.coupling)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ProbeFormatError) as error:
        raise StorageError(f"{path}: must hold a probe, but {error}; remove it, or probe again") from None
    except FileNotFoundError as error:
        raise StorageError(f"{path}: is gone") from error


def _base(root: StorageRoot) -> Path | None:
    """The storage root, below which no link is followed; None in an object store."""
    return root.path if isinstance(root.path, Path) else None


def _name(result: ProbeResult) -> str:
    """Names of the same trainable and data sort by time; no two are the same."""
    digest = _digest(result.trainable, result.data)
    return f"{digest}-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.json"


def _digest(trainable: str, data: str | None) -> str:
    return hashlib.sha256(msgspec.json.encode([trainable, data])).hexdigest()[:16]


def _what(trainable: str, data: str | None) -> str:
    return trainable if data is None else f"{trainable} with data {shown(data)}"
