"""Making a sweep's folder: it exists once its journal holds the first event, and not before."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tuner.base.errors import ForeignFileError, NameTakenError, StorageError
from tuner.base.hints import option
from tuner.storage import SweepFolder, delete, names, sync_folder, write_atomically
from tuner.storage.commands import resume_command
from tuner.storage.copying import files_below
from tuner.storage.journal.belonging import belonging
from tuner.storage.journal.clock import SteadyClock
from tuner.storage.journal.journal import Journal, line_of, stamped
from tuner.storage.journal.lease import Lease
from tuner.sweep import events as ev

_MADE = {
    "checkpoints", "code", "driver.log", "journal.jsonl", "lease.json", "lease.lock", "outputs", "recorder.json",
    "recorder.lock", "recorder.log", "spec.yaml",
}  # fmt: skip
"""What drivers and recorders make in a sweep's folder before its first trial."""
_MADE_REMOTELY = ("journal", "code", "recorder.json", "spec.yaml")


def create_sweep(
    folder: SweepFolder,
    spec_yaml: str,
    started: ev.SweepStarted,
    learned: Sequence[ev.WarmStarted] = (),
    on_wait: Callable[[str], None] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Journal:
    """Makes a sweep's folder, which appears once its journal holds `sweep_started`.

    Args:
        folder: where it shall be.
        spec_yaml: what `spec.yaml` shall say.
        started: the first event, but for the place.
        learned: what stands behind it; the folder appears with all of them.
        on_wait: is told in a sentence if this waits (up to 20 s) for a driver elsewhere that began to make it.
        files: what else shall lie in it, by names relative to it.

    Raises:
        NameTakenError: the message has the two ways on.
        StorageError: the storage root cannot be written.
    """
    if not folder.is_remote and folder.is_taken:  # before the root gets an id
        raise name_taken(folder)
    started = msgspec.structs.replace(started, **belonging(folder)._asdict())
    if isinstance(folder.path, Path):
        return _create_by_rename(folder, folder.path, spec_yaml, [started, *learned], files or {})
    return _create_in_place(folder, spec_yaml, [started, *learned], on_wait, files or {})


def discard_sweep(journal: Journal) -> None:
    """Removes a sweep that its driver has just made and that never began; what cannot be removed stays as it is.

    It loses its name at once, and all of it or nothing goes: a folder in which somebody put more is left alone.
    """
    folder = journal.folder
    with suppress(OSError, StorageError):
        if isinstance(folder.path, Path) and set(names(folder.path, folder.base)) <= _MADE:
            gone = folder.path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.gone")
            os.rename(folder.path, gone)
            journal.moved(SweepFolder(gone))
            journal.close()
            shutil.rmtree(gone)  # which follows no links
        elif folder.is_remote:
            journal.close()
            for name in _MADE_REMOTELY:
                for path in files_below(folder.path, name):
                    delete(folder.path / path)
                delete(folder.path / name)


def name_taken(folder: SweepFolder) -> NameTakenError:
    """The refusal of a name that exists, with the two ways on."""
    other = f"choose another name ({option('name')})"
    if isinstance(folder.path, Path) and folder.path.is_symlink():
        target = os.readlink(folder.path)
        return NameTakenError(f"{folder.path} is a link to {target}, not followed; {other}")
    try:
        is_sweep = folder.exists()
    except ForeignFileError:  # a pipe, say
        is_sweep = False
    if not is_sweep:
        return NameTakenError(f"{folder.path} exists and is no sweep; {other}")
    return NameTakenError(
        f"sweep {folder.name} exists in {folder.root.path}: go on with it ({resume_command(folder.name, folder.root)},"
        f" or {option('or_resume', True)}), or {other}"
    )


def _create_by_rename(
    folder: SweepFolder, path: Path, spec_yaml: str, first: Sequence[ev.AnyEvent], files: Mapping[str, bytes]
) -> Journal:
    """On a file system: made under a hidden name of its own, then renamed. On two machines process ids are no names."""
    new = path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.new")
    making = SweepFolder(new)
    try:
        (new / "checkpoints").mkdir(parents=True)
        write_atomically(making.spec, spec_yaml.encode())  # in a folder whose name nobody can guess
        for name, content in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(new / name, content)
        clock = SteadyClock()
        now = clock.now()
        lines = (line_of(stamped(event, now, seq)) for seq, event in enumerate(first))
        write_atomically(making.journal, b"".join(lines))
        journal = Journal(making, clock)
        try:
            os.rename(new, path)
            sync_folder(path.parent)
        except OSError:
            journal.close()
            raise
    except (OSError, StorageError) as error:
        shutil.rmtree(new, ignore_errors=True)
        if folder.is_taken:
            raise name_taken(folder) from None
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise StorageError(f"{path}: the storage root must be writable, but {reason}") from error
    journal.moved(folder)
    return journal


def _create_in_place(
    folder: SweepFolder,
    spec_yaml: str,
    first: Sequence[ev.AnyEvent],
    on_wait: Callable[[str], None] | None,
    files: Mapping[str, bytes],
) -> Journal:
    """On an object store, which cannot rename: under the lease, and the first events last."""
    if folder.exists():
        raise name_taken(folder)
    lease = Lease(folder)
    lease.acquire(on_wait)
    try:
        if folder.exists():
            raise name_taken(folder)
        write_atomically(folder.spec, spec_yaml.encode())
        for name, content in files.items():
            write_atomically(folder.path / name, content)
        return Journal.create(folder, lease, SteadyClock(), first)
    except FileExistsError:
        lease.release()
        raise name_taken(folder) from None
    except BaseException:
        lease.release()
        raise
