"""Making a sweep's folder: it exists once its journal holds the first event, and not before."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tuner import events as ev
from tuner.errors import NameTakenError, StorageError
from tuner.journal.clock import SteadyClock
from tuner.journal.journal import Journal, line_of, stamped
from tuner.journal.lease import Lease
from tuner.paths import SweepFolder, exists, sync_folder, write_atomically
from tuner.program import program, storage_option


def create_sweep(
    folder: SweepFolder,
    spec_yaml: str,
    started: ev.SweepStarted,
    learned: Sequence[ev.WarmStarted] = (),
    on_wait: Callable[[str], None] | None = None,
) -> Journal:
    """Makes a sweep's folder, which appears once its journal holds `sweep_started`.

    Args:
        folder: where it shall be.
        spec_yaml: what `spec.yaml` shall say.
        started: the first event.
        learned: what stands behind it; the folder appears with all of them.
        on_wait: is told in a sentence if this waits (up to 20 s) for a driver elsewhere that began to make it.

    Raises:
        NameTakenError: the message has the two ways on.
        StorageError: the storage root cannot be written.
    """
    if isinstance(folder.path, Path):
        return _create_by_rename(folder, folder.path, spec_yaml, [started, *learned])
    return _create_in_place(folder, spec_yaml, [started, *learned], on_wait)


def name_taken(folder: SweepFolder) -> NameTakenError:
    """The refusal of a name that exists, with the two ways on."""
    if not folder.exists():
        return NameTakenError(f"{folder.path} exists and is no sweep; choose another name (--name)")
    return NameTakenError(
        f"sweep {folder.name} exists in {folder.root.path}: go on with it ({program()} resume {folder.name}"
        f"{storage_option(folder.root)}, or --or-resume), or choose another name (--name)"
    )


def _create_by_rename(folder: SweepFolder, path: Path, spec_yaml: str, first: Sequence[ev.AnyEvent]) -> Journal:
    """On a file system: made under a hidden name of its own, then renamed. On two machines process ids are no names."""
    new = path.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.new")
    making = SweepFolder(new)
    try:
        (new / "checkpoints").mkdir(parents=True)
        write_atomically(making.spec, spec_yaml.encode())
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
        if exists(path):
            raise name_taken(folder) from None
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise StorageError(f"{path}: the storage root must be writable, but {reason}") from error
    journal.moved(folder)
    return journal


def _create_in_place(
    folder: SweepFolder, spec_yaml: str, first: Sequence[ev.AnyEvent], on_wait: Callable[[str], None] | None
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
        return Journal.create(folder, lease, SteadyClock(), first)
    except FileExistsError:
        lease.release()
        raise name_taken(folder) from None
    except BaseException:
        lease.release()
        raise
