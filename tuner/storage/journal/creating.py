"""Creates a sweep's folder, which appears only once its journal holds the first event."""

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
from tuner.base.user import are_others, this_user
from tuner.storage import SweepFolder, delete, names, sync_folder, write_atomically
from tuner.storage.commands import resume_command
from tuner.storage.copying import files_below
from tuner.storage.journal.belonging import belonging
from tuner.storage.journal.clock import SteadyClock
from tuner.storage.journal.journal import Journal, line_of, read_events, stamped
from tuner.storage.journal.lease import Lease
from tuner.sweep import events as ev

_MADE = {
    "checkpoints", "code", "driver.log", "journal.jsonl", "lease.json", "lease.lock", "outputs", "recorder.json",
    "recorder.lock", "recorder.log", "spec.yaml",
}  # fmt: skip
"""What drivers and recorders create in a sweep's folder before its first trial."""
_MADE_REMOTELY = ("journal", "code", "recorder.json", "spec.yaml")


def create_sweep(
    folder: SweepFolder,
    spec_yaml: str,
    started: ev.SweepStarted,
    learned: Sequence[ev.WarmStarted] = (),
    on_wait: Callable[[str], None] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Journal:
    """Creates a sweep's folder, which appears once its journal holds `sweep_started`.

    Args:
        folder: the folder to create.
        spec_yaml: the content of `spec.yaml`.
        started: the first event, without the fields that identify the place.
        learned: the events after it; the folder appears with all of them.
        on_wait: called with a sentence if this waits (up to 20 s) for a driver elsewhere that started to create it.
        files: other files, by their paths relative to the folder.

    Raises:
        NameTakenError: the name is taken; the message says what to do.
        StorageError: the storage root cannot be written.
    """
    if not folder.is_remote and folder.is_taken:  # checked before the root gets an id
        raise name_taken(folder)
    started = msgspec.structs.replace(started, **belonging(folder)._asdict())
    if isinstance(folder.path, Path):
        return _create_by_rename(folder, folder.path, spec_yaml, [started, *learned], files or {})
    return _create_in_place(folder, spec_yaml, [started, *learned], on_wait, files or {})


def discard_sweep(journal: Journal) -> None:
    """Removes a sweep that its driver has just created and that never started; what cannot be removed is left.

    The folder is renamed first, so that all of it or nothing disappears. A folder to which somebody added files is left
    alone.
    """
    folder = journal.folder
    with suppress(OSError, StorageError):
        if isinstance(folder.path, Path) and set(names(folder.path, folder.base)) <= _MADE:
            gone = folder.path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.gone")
            os.rename(folder.path, gone)
            journal.moved(SweepFolder(gone))
            journal.close()
            shutil.rmtree(gone)  # does not follow links
        elif folder.is_remote:
            journal.close()
            for name in _MADE_REMOTELY:
                for path in files_below(folder.path, name):
                    delete(folder.path / path)
                delete(folder.path / name)


def name_taken(folder: SweepFolder) -> NameTakenError:
    """The error for a name that exists; it says what to do."""
    other = f"choose another name ({option('name')})"
    if isinstance(folder.path, Path) and folder.path.is_symlink():
        target = os.readlink(folder.path)
        return NameTakenError(f"{folder.path} is a link to {target}, not followed; {other}")
    try:
        is_sweep = folder.exists()
    except ForeignFileError:  # such as a pipe
        is_sweep = False
    if not is_sweep:
        return NameTakenError(f"{folder.path} exists and is not a sweep; {other}")
    again = resume_command(folder.name, folder.root)
    return NameTakenError(
        f"sweep {folder.name}{_whose(folder)} exists in {folder.root.path}: resume it ({again},"
        f" or {option('or_resume', True)}), or {other}"
    )


def _create_by_rename(
    folder: SweepFolder, path: Path, spec_yaml: str, first: Sequence[ev.AnyEvent], files: Mapping[str, bytes]
) -> Journal:
    """On a file system: created under a unique hidden name, then renamed."""
    new = path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.new")
    making = SweepFolder(new)
    try:
        (new / "checkpoints").mkdir(parents=True)
        write_atomically(making.spec, spec_yaml.encode())  # no `base`: nobody can guess the folder's name
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
    """On an object store, which cannot rename: under the lease, with the first events written last."""
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


def _whose(folder: SweepFolder) -> str:
    """Whose a sweep is, if it is known to be somebody else's."""
    started = None
    with suppress(StorageError, OSError):
        started = next(iter(read_events(folder)), None)
    owner = started.started_by if isinstance(started, ev.SweepStarted) else ""
    return f", which {owner} started," if are_others(owner, this_user()) else ""
