"""What scripts log to MLflow as artifacts, as the recorder finds it in the sweep's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.recording import logged_files as module
from tuner.recording.logged_files import TooMuchError, logged_files
from tuner.storage import StorageRoot, SweepFolder


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return StorageRoot.resolve(str(tmp_path / "sweeps")).sweep("a")


@pytest.fixture
def place(folder: SweepFolder) -> Path:
    """Where the script of trial 3 has logged a file."""
    place = folder.callback_files(3) / "mlflow"
    (place / "notes").mkdir(parents=True)
    (place / "notes" / "a.txt").write_text("kept")
    return place


def test_a_trials_files_are_found_and_those_of_one_without_are_not(folder: SweepFolder, place: Path) -> None:
    assert logged_files(folder, 3) == place
    assert logged_files(folder, 4) is None
    (place / "notes" / "a.txt").unlink()
    assert logged_files(folder, 3) is None


def test_too_many_and_too_large_ones_stay_where_they_are(
    folder: SweepFolder, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES_MAX", 1)
    (place / "b.txt").write_text("more")
    with pytest.raises(TooMuchError, match=r"at most 1 files .* but trial 3 has 2 and \d+ bytes: they stay in /"):
        logged_files(folder, 3)
    monkeypatch.setattr(module, "FILES_MAX", 2)
    monkeypatch.setattr(module, "BYTES_MAX", 5)
    with pytest.raises(TooMuchError, match="at most 2 files"):
        logged_files(folder, 3)


def test_a_link_leads_nowhere(folder: SweepFolder, place: Path, tmp_path: Path) -> None:
    (place / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(TooMuchError, match="elsewhere is a link"):
        logged_files(folder, 3)
