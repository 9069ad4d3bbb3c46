"""The copies of a trainable's code in a sweep's folder: `code/`, a folder in it for each version that it had."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

from trainables.sources import Sources
from tuner.base.errors import StorageError
from tuner.base.hints import option
from tuner.inspection.provenance.code import Code, is_plain, is_sound, left_out
from tuner.storage import SweepFolder, code_copy, make_folder, read_bytes, write_atomically

READERS = 16
"""Requests at the same time, on an object store."""


def copied_files(code: Code | None) -> dict[str, bytes]:
    """What lies in a sweep's folder of this version, by names relative to that."""
    if code is None:
        return {}
    return {copy_name(code.manifest, name): content for name, content in code.sources.files.items()}


def copy_name(manifest: Mapping[str, Any], name: str) -> str:
    """Where a file's copy is, relative to the sweep's folder; MLflow's artifact is called the same."""
    return code_copy(str(manifest["digest"]), name)


def copied_names(manifest: Mapping[str, Any]) -> list[str]:
    """The files of which there is a copy; none where the journal is damaged."""
    return [name for name, file in manifest["files"].items() if "left_out" not in file] if is_sound(manifest) else []


def write_code(folder: SweepFolder, code: Code) -> None:
    """Writes the copies of a version.

    Raises:
        StorageError: they cannot be written.
    """
    for name, content in copied_files(code).items():
        _make_folders(folder, PurePosixPath(name))
        write_atomically(folder.path / name, content, folder.base)


def _make_folders(folder: SweepFolder, name: PurePosixPath) -> None:
    """Makes what a file of this name, relative to the sweep's folder, lies in."""
    for parent in [*reversed(name.parents)][1:]:
        make_folder(folder.path / parent, folder.base)


def read_code(folder: SweepFolder, manifest: Mapping[str, Any]) -> Sources:
    """The code of a version, as it was kept.

    Raises:
        StorageError: a copy is not what the journal says; the message names it.
    """
    if not is_sound(manifest):
        raise StorageError(f"{folder.path}: its journal must say what code it was trained with, but is damaged there")
    names = copied_names(manifest)
    with ThreadPoolExecutor(READERS if folder.is_remote else 1) as pool:
        files = dict(zip(names, pool.map(lambda name: read_copy(folder, manifest, name), names), strict=True))
    digests = {name: str(manifest["files"][name]["sha256"]) for name in left_out(manifest)}
    return Sources(str(manifest["main"]), files, digests)


def read_code_or_say(folder: SweepFolder, manifest: Mapping[str, Any], way_on: str) -> Sources:
    """As `read_code`; of a copy that is damaged or gone the message also says how to go on, as in "build it by".

    Raises:
        StorageError: a copy is not what the journal says.
    """
    try:
        return read_code(folder, manifest)
    except StorageError as error:
        todays = option("with_changed_code", True)
        raise StorageError(f"{error}; put it back, or {way_on} today's files: {todays}") from error


def read_copy(folder: SweepFolder, manifest: Mapping[str, Any], name: str) -> bytes:
    """One file's copy.

    Raises:
        StorageError: it is not what the journal says, or it is none of the sweep's own.
    """
    path = folder.path / copy_name(manifest, name)
    rule = f"{path}: must be the code that the sweep was trained with, as its journal says, but"
    if not is_plain(name):
        raise StorageError(f"{rule} it leads out of the sweep's folder")
    try:
        content = read_bytes(path, folder.base)
    except FileNotFoundError:
        raise StorageError(f"{rule} it is missing") from None
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]["sha256"]:
        raise StorageError(f"{rule} it was changed")
    return content
