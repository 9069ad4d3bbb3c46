"""Probes stay where sweeps are, and the newest of a trainable and its data counts."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from tests.probe.measured import probe
from tests.simulation import make_spec, new_sweep
from tuner.base.errors import ForeignFileError, StorageError, UsageError
from tuner.probe.journal import newest, no_probe, probed, record
from tuner.probe.suggestions import Suggestions
from tuner.review.status import find_history
from tuner.storage import StorageRoot


def test_the_newest_of_the_same_trainable_and_data_counts(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path / "sweeps")
    assert newest(root, "digits", None) is None and probed(root) == []
    first, second = probe(at=1.0), probe(at=2.0)
    for one in (first, dataclasses.replace(first, trainable="mlp", data="mnist"), second):
        record(root, Suggestions(one))
    found = newest(root, "digits", None)
    assert found is not None and found.result == second and tuple(found.points) == Suggestions(second).points
    assert newest(root, "digits", "mnist") is None and newest(root, "mlp", None) is None
    assert probed(root) == ["digits", "mlp with data 'mnist'"]
    assert no_probe(root, "mlp", None).startswith(f"there is no probe of mlp in {root.path}, only of digits, mlp with")


def test_probes_are_no_sweeps(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    record(root, Suggestions(probe()))
    assert root.sweeps() == []
    with pytest.raises(
        UsageError, match=r"^probe in .* is no sweep: it has what `tuner probe` measured of digits, for"
    ):
        find_history(root, "probe")
    new_sweep(tmp_path, make_spec(name="probe")).close()
    assert find_history(root, "probe").sweep.spec["name"] == "probe"


def test_a_damaged_probe_is_told_and_a_link_is_not_followed(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    record(root, Suggestions(probe()))
    [file] = (tmp_path / ".probes").iterdir()
    file.write_text('{"event": "probed", "result": {"format": 9}, "points": []}')
    with pytest.raises(StorageError, match="must hold a probe, but format: must be 1, but got 9"):
        newest(root, "digits", None)
    file.unlink()
    os.symlink(tmp_path / "elsewhere", file)
    with pytest.raises(ForeignFileError):
        newest(root, "digits", None)
