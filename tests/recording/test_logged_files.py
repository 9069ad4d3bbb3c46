"""What scripts log to MLflow as artifacts, as the recorder finds it in the sweep's folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tuner.recording import logged_files as module
from tuner.recording import record
from tuner.recording.logged_files import TooMuchError, logged_files
from tuner.storage import StorageRoot, SweepFolder, write_atomically
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story


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
    found = logged_files(folder, 3, {})
    assert found is not None and found.path == place
    assert logged_files(folder, 4, {}) is None
    (place / "notes" / "a.txt").unlink()
    assert logged_files(folder, 3, {}) is None


def test_what_is_uploaded_is_not_uploaded_again_until_it_changes(folder: SweepFolder, place: Path) -> None:
    uploaded: dict[int, str] = {}
    for _ in range(2):  # the first time it was not uploaded
        found = logged_files(folder, 3, uploaded)
        assert found is not None
    found.done()
    assert logged_files(folder, 3, uploaded) is None and place.exists()
    (place / "notes" / "a.txt").write_text("kept, and more")
    assert logged_files(folder, 3, uploaded) is not None


def test_of_an_object_store_only_what_changed_is_downloaded(memory_root: str) -> None:
    folder, uploaded = StorageRoot.resolve(memory_root).sweep("a"), dict[int, str]()
    assert logged_files(folder, 3, uploaded) is None
    write_atomically(folder.logged(3) / "notes/a.txt", b"kept")
    found = logged_files(folder, 3, uploaded)
    assert found is not None and (found.path / "notes" / "a.txt").read_text() == "kept"
    found.done()
    assert not found.path.exists() and logged_files(folder, 3, uploaded) is None
    write_atomically(folder.logged(3) / "notes/a.txt", b"more")
    assert logged_files(folder, 3, uploaded) is not None


def test_too_many_and_too_large_ones_stay_where_they_are(
    folder: SweepFolder, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FILES_MAX", 1)
    (place / "b.txt").write_text("more")
    with pytest.raises(TooMuchError, match=r"at most 1 files .* but trial 3 has 2 and \d+ bytes: they stay in /"):
        logged_files(folder, 3, {})
    monkeypatch.setattr(module, "FILES_MAX", 2)
    monkeypatch.setattr(module, "BYTES_MAX", 5)
    with pytest.raises(TooMuchError, match="at most 2 files"):
        logged_files(folder, 3, {})


def test_a_link_leads_nowhere(folder: SweepFolder, place: Path, tmp_path: Path) -> None:
    (place / "elsewhere").symlink_to(tmp_path)
    with pytest.raises(TooMuchError, match="elsewhere is a link"):
        logged_files(folder, 3, {})


@pytest.mark.slow(4)
@pytest.mark.filterwarnings("ignore")
def test_a_later_recorder_knows_what_was_uploaded(
    new_story: type[Story], empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    story = new_story(StorageRoot(tmp_path).sweep("s"), script=True)
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    for trial in range(2):
        place = story.folder.callback_files(trial) / "mlflow"
        place.mkdir(parents=True)
        (place / "a.txt").write_text("kept")
        story.trial(trial, [0.5])
    uploads: list[str] = []
    monkeypatch.setattr(
        MlflowClient, "log_artifacts", lambda client, run_id, path: uploads.append(Path(path).parent.name)
    )
    record(story.folder)
    assert uploads == ["000000", "000001"]
    (place / "b.txt").write_text("logged after its last epoch")
    story.add(ev.SweepEnded(reason="all 2 trials ended"))
    record(story.folder)
    assert uploads == ["000000", "000001", "000001"]
