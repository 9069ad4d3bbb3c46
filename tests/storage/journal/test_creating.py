"""A new sweep that never began is removed as a whole, and nothing else with it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.simulation import make_spec, new_sweep
from tuner.storage import StorageRoot
from tuner.storage.journal import discard_sweep


def test_it_leaves_nothing_and_its_name_is_free(tmp_path: Path) -> None:
    for _ in range(2):
        journal = new_sweep(tmp_path, make_spec())
        (tmp_path / make_spec().name / "recorder.log").write_text("started")
        discard_sweep(journal)
        assert os.listdir(tmp_path) == [".root"]  # the storage root's own id


def test_a_link_in_it_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "data").write_text("years of work")
    root = tmp_path / "sweeps"
    root.mkdir()
    journal = new_sweep(root, make_spec())
    (journal.folder.checkpoints / "zz").symlink_to(tmp_path / "thesis")  # type: ignore[union-attr]
    discard_sweep(journal)
    assert os.listdir(root) == [".root"] and (tmp_path / "thesis" / "data").exists()


def test_what_somebody_put_there_keeps_it(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())
    (tmp_path / make_spec().name / "notes.txt").write_text("mine")
    discard_sweep(journal)
    journal.close()
    assert (tmp_path / make_spec().name / "notes.txt").exists()
    assert StorageRoot(tmp_path).sweep(make_spec().name).exists()
