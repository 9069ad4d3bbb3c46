"""A copy of a running sweep's folder holds a copy of its lease, which says nothing of the copy."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest

from tests.storage.journal.making import new_sweep
from tuner.storage import SweepFolder, names, read_bytes, write_atomically
from tuner.storage.journal import Holder, Journal, read_holder
from tuner.storage.journal.lease_files import LeaseFiles


def elsewhere() -> Holder:
    """A driver on another machine whose beat is fresh."""
    return dataclasses.replace(Holder.this_process(), id="e" * 32, host="far", machine="another boot", pid=4711)


def copied(folder: SweepFolder, name: str) -> SweepFolder:
    """A copy made by hand, on a disk or an object store."""
    copy = folder.root.sweep(name)
    if isinstance(folder.path, Path):
        shutil.copytree(folder.path, copy.path)  # type: ignore[arg-type]
        return copy
    for part in ("lease", "journal"):
        for name in names(folder.path / part):
            write_atomically(copy.path / part / name, read_bytes(folder.path / part / name))
    return copy


@pytest.fixture(params=["disk", "memory"])
def running(request: pytest.FixtureRequest, tmp_path: Path, memory_root: str) -> Journal:
    """A sweep that this process works on."""
    return new_sweep(tmp_path if request.param == "disk" else memory_root)


def test_the_copy_of_a_running_sweep_does_not_run(running: Journal) -> None:
    copy = copied(running.folder, "copy")
    holder = read_holder(running.folder)
    assert holder is not None and holder.pid == os.getpid()
    assert read_holder(copy) is None is read_holder(copy.lease)
    running.close()


def test_nor_does_that_of_one_which_another_machine_works_on(running: Journal) -> None:
    folder = running.folder
    running.close()
    where = folder.lease / "000000000777.json" if folder.is_remote else folder.lease
    write_atomically(where, elsewhere().holding(folder).to_bytes())
    assert read_holder(folder) is not None
    assert read_holder(copied(folder, "copy")) is None


def test_a_lock_that_somebody_takes_for_an_instant_makes_the_original_s_driver_no_holder(tmp_path: Path) -> None:
    running = new_sweep(tmp_path)
    copy = copied(running.folder, "copy")
    probing = LeaseFiles(copy)
    probing.lock()
    assert read_holder(copy) is None
    probing.unlock()
    running.close()


def test_a_driver_is_known_by_any_name_of_its_folder(tmp_path: Path) -> None:
    running = new_sweep(tmp_path / "one")
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert read_holder(SweepFolder.at(str(tmp_path / "link" / "test"))) is not None
    running.close()


def test_a_lease_of_an_earlier_version_counts_as_before(running: Journal) -> None:
    folder = running.folder
    running.close()
    where = folder.lease / "000000000777.json" if folder.is_remote else folder.lease
    write_atomically(where, elsewhere().to_bytes())
    assert read_holder(folder) is not None


def test_the_holder_s_beat_names_the_folder_that_it_is_in(tmp_path: Path) -> None:
    running = new_sweep(tmp_path)
    running._lease._renew()
    seen = LeaseFiles(running.folder).look()
    assert seen is not None and seen.holder is not None
    assert (seen.holder.url, seen.holder.inode) == (running.folder.url, os.stat(tmp_path / "test").st_ino)
    running.close()
