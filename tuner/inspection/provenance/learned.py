"""What `load_data` learned, as the sweep's folder keeps it: `code/learned/`, a file for each version that it had."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from trainables.learned import LEARNED_BYTES_MAX, Learned
from tuner.base.errors import StorageError, TooLargeError
from tuner.storage import SweepFolder, learned_copy, make_folder, read_bytes, write_atomically
from tuner.sweep import Sweep
from tuner.sweep import events as ev


def learned_manifest(learned: Learned) -> dict[str, Any]:
    """What the journal says of it."""
    kept = {"sha256": learned.sha256, "size_bytes": len(learned.pickled), "module": learned.module}
    return {"names": list(learned.names), "left_out": sorted(learned.left_out), **(kept if learned.pickled else {})}


def learned_files(learned: Learned) -> dict[str, bytes]:
    """The file that holds it, by its name relative to the sweep's folder."""
    return {learned_copy(learned.sha256): learned.pickled} if learned.pickled else {}


def write_learned(folder: SweepFolder, learned: Learned) -> None:
    """Writes it into a sweep's folder.

    Raises:
        StorageError: it cannot be written.
    """
    for name, content in learned_files(learned).items():
        for parent in [*reversed(PurePosixPath(name).parents)][1:]:
            make_folder(folder.path / parent, folder.base)
        write_atomically(folder.path / name, content, folder.base)


def read_learned(folder: SweepFolder, manifest: Mapping[str, Any]) -> Learned:
    """What the journal's `manifest` says that the folder keeps.

    Raises:
        StorageError: it is missing, or not what it was.
    """
    left_out = {str(name): "it was not kept" for name in manifest.get("left_out", ())}
    names = tuple(map(str, manifest.get("names", ())))
    if "sha256" not in manifest:
        return Learned(names=names, left_out=left_out)
    path = folder.path / learned_copy(str(manifest["sha256"]))
    rule = f"{path}: must hold what load_data learned ({', '.join(names)}), as the journal says, but"
    try:
        pickled = read_bytes(path, folder.base, bytes_max=LEARNED_BYTES_MAX)
    except FileNotFoundError:
        raise StorageError(f"{rule} it is missing") from None
    except TooLargeError:
        raise StorageError(f"{rule} it was changed") from None
    if hashlib.sha256(pickled).hexdigest() != manifest["sha256"]:
        raise StorageError(f"{rule} it was changed")
    return Learned(pickled, names, str(manifest.get("module", "")), left_out)


def learned_for_resume(
    folder: SweepFolder, sweep: Sweep, event: ev.SweepResumed, today: Learned, note: Callable[[str], None]
) -> tuple[Learned, bool]:
    """What trials go on with, and whether it is new to the sweep's folder: what was kept, while code and data are.

    Args:
        event: says whether code or data are others from now on.
        today: what `load_data` left now.
    """
    if sweep.learned and not event.code and not event.data:
        try:
            return read_learned(folder, sweep.learned[-1][1]), False
        except StorageError as error:
            note(f"{error}: what load_data learned today is taken")
    return today, bool(today.names or today.left_out or sweep.learned)


def learned_damages(folder: SweepFolder, sweep: Sweep) -> Iterator[str]:
    """Each version that is not what the journal says, in a line."""
    for _, manifest in sweep.learned:
        try:
            read_learned(folder, manifest)
        except StorageError as error:
            yield str(error)
