"""Copying a sweep: a new one with the same events and checkpoints, and its own name, identity and MLflow runs.

A copy appears whole or not at all. The original may be running: the copy gets its journal up to some moment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tuner.base.errors import NameTakenError, StorageError, UsageError
from tuner.spec import SweepSpec, dump_yaml, spec_from_mapping
from tuner.storage import StorageRoot, SweepFolder, delete, exists, names, sync_folder, write_atomically
from tuner.storage.copying import copy_file, files_below
from tuner.storage.journal.belonging import belonging
from tuner.storage.journal.journal import empty, read_lines
from tuner.storage.journal.lease import Lease
from tuner.storage.names import is_checkpoint_path
from tuner.storage.objectstore import put_new
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

_READINGS = 5
"""How often the journal of a running sweep is read at most, which may delete checkpoints in between."""
_REMNANTS = {"spec.yaml", "checkpoints", "code", "lease"}
"""What a sweep that never began may leave on an object store."""


@dataclass
class _Beginning:
    """What is copied of the original: its events so far, and the checkpoints that they name."""

    events: list[ev.AnyEvent]
    lines: list[bytes]
    sweep: Sweep
    checkpoints: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Copied:
    """The result of copying."""

    folder: SweepFolder
    sweep: Sweep
    checkpoints: int
    missing: tuple[str, ...]
    """Trials' newest checkpoints that the original's journal names, but its folder lacks."""


def copy_sweep(old: SweepFolder, root: StorageRoot, name: str, on_wait: Callable[[str], None] | None = None) -> Copied:
    """Makes a new sweep from another one's folder, which may have any name and a driver that runs it.

    Args:
        old: the original, which is only read.
        root: where to make the copy.
        name: the copy's.
        on_wait: gets a message if this waits, up to 20 s, for a process that makes the same copy on an object store.

    Raises:
        SpecError: the copy's name breaks a rule.
        NameTakenError: there is something of that name.
        UsageError: the copy would have no tracking store there.
        StorageError: the original cannot be read, or the copy cannot be written.
    """
    _check_spec(_read(old).sweep, old, root, name)
    new = root.sweep(name)
    with _making(new, on_wait) as making:
        taken = _copy_files(old, making)
        spec = _check_spec(taken.sweep, old, root, name)
        write_atomically(making.spec, dump_yaml(spec.resolved()).encode())
        first = _first_line(taken, old, new)
        _write_journal(making, [first, *taken.lines[1:]])
    sweep = fold([ev.decode(first), *taken.events[1:]])
    return Copied(new, sweep, len(taken.checkpoints), tuple(taken.missing))


def _read(old: SweepFolder) -> _Beginning:
    events, lines = read_lines(old)
    if not events:
        raise empty(old)
    return _Beginning(events, lines, fold(events))


def _check_spec(sweep: Sweep, old: SweepFolder, root: StorageRoot, name: str) -> SweepSpec:
    """The copy's spec as it is now.

    Raises:
        SpecError, UsageError: see `copy_sweep`.
    """
    spec = spec_from_mapping({**sweep.spec, **_changed(sweep.spec, old, root, name)}, source="copy")
    if spec.tracking.uri is None:
        try:
            _ = root.default_tracking_uri
        except UsageError as error:
            way = "resume the original with --set tracking.uri=… first, or copy it into a folder"
            raise UsageError(f"{error}: {way}") from None
    return spec


def _changed(spec: dict[str, Any], old: SweepFolder, root: StorageRoot, name: str) -> dict[str, Any]:
    is_elsewhere = spec.get("storage") is not None and old.root.url != root.url
    return {"name": name} | ({"storage": root.url} if is_elsewhere else {})


def _first_line(taken: _Beginning, old: SweepFolder, new: SweepFolder) -> bytes:
    """The original's `sweep_started`, with the copy's name and place."""
    first: dict[str, Any] = msgspec.json.decode(taken.lines[0])
    first["spec"] |= _changed(first["spec"], old, new.root, new.name)
    original = {"sweep": taken.sweep.name, "sweep_id": taken.sweep.sweep_id, "url": old.url}
    first |= {"sweep_id": uuid.uuid4().hex, **belonging(new)._asdict()}
    first["copied_from"] = {**original, "events": len(taken.events)}
    return msgspec.json.encode(first) + b"\n"


def _copy_files(old: SweepFolder, making: SweepFolder) -> _Beginning:
    """Copies source and checkpoints; returns the journal as of a moment at which all its checkpoints were copied.

    A driver journals that it deletes a checkpoint before it does so. If one is missing, the journal is read again.
    """
    for name in files_below(old.path, old.code.name):
        copy_file(old.path, making.path, name)
    copied: set[str] = set()
    num_events = 0
    for _ in range(_READINGS):
        taken = _read(old)
        named = {saved.path for trial in taken.sweep.trials.values() for saved in trial.checkpoints}
        own = {path for path in named if is_checkpoint_path(path)}
        copied |= {path for path in sorted(own - copied) if copy_file(old.path, making.path, path)}
        newest = [trial.checkpoints[-1].path for trial in taken.sweep.trials.values() if trial.checkpoints]
        taken.checkpoints, taken.missing = named & copied, [path for path in newest if path not in copied]
        if not taken.missing or len(taken.events) == num_events:
            break
        num_events = len(taken.events)
    for path in copied - taken.checkpoints:
        delete(making.path / path)
    return taken


def _write_journal(making: SweepFolder, lines: Sequence[bytes]) -> None:
    if not making.is_remote:
        write_atomically(making.journal, b"".join(lines))
        return
    merged = f"-{len(lines) - 1:012d}" if len(lines) > 1 else ""
    put_new(making.segments / f"{0:012d}{merged}.jsonl", b"".join(lines))


@contextlib.contextmanager
def _making(new: SweepFolder, on_wait: Callable[[str], None] | None) -> Iterator[SweepFolder]:
    """Where to make the copy. It exists once the block ends; if the block fails, nothing is left.

    Raises:
        NameTakenError: there is something of its name.
        StorageError: the storage root cannot be written.
    """
    path = new.path
    if isinstance(path, Path):
        if exists(path):
            raise _taken(new)
        yield from _made_by_rename(new, path)
    else:
        yield from _made_in_place(new, on_wait)


def _made_by_rename(new: SweepFolder, path: Path) -> Iterator[SweepFolder]:
    hidden = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.new")
    try:
        (hidden / "checkpoints").mkdir(parents=True)
        yield SweepFolder(hidden)
        os.rename(hidden, path)
        sync_folder(path.parent)
    except BaseException as error:
        shutil.rmtree(hidden, ignore_errors=True)
        if isinstance(error, OSError):
            if exists(path):
                raise _taken(new) from None
            raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def _made_in_place(new: SweepFolder, on_wait: Callable[[str], None] | None) -> Iterator[SweepFolder]:
    """On an object store: under the lease, with the whole journal in one object, written last."""
    if new.exists() or set(names(new.path)) - _REMNANTS:
        raise _taken(new)
    lease = Lease(new)
    lease.acquire(on_wait)
    try:
        if new.exists():
            raise _taken(new)
        yield new
    except BaseException:
        if not new.exists():
            for place in (new.checkpoints, new.code):
                for name in files_below(new.path, place.name):
                    delete(new.path / name)
            delete(new.spec)
        raise
    finally:
        lease.release()


def _taken(new: SweepFolder) -> NameTakenError:
    what = f"sweep {new.name} exists in {new.root.path}" if new.exists() else f"{new.path} exists and is no sweep"
    return NameTakenError(f"{what}; choose another name for the copy")
