"""What is said of a sweep's recorder, with a driver and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import filelock
import pytest

from tuner.recording.cursor import Cursor, read_cursor, write_cursor
from tuner.recording.standing import is_at_work, note_death, recorder_standing
from tuner.storage import StorageRoot, SweepFolder


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    folder = StorageRoot(tmp_path).sweep("s")
    folder.path.mkdir()
    (tmp_path / "mlflow.db").write_bytes(b"a database")
    return folder


def standing(folder: SweepFolder, cursor: Cursor, behind: int, is_running: bool = False) -> dict[str, Any]:
    return recorder_standing(folder, cursor, f"sqlite:///{folder.root.database}", behind, is_running)


def trouble(folder: SweepFolder, cursor: Cursor, behind: int, is_running: bool = False) -> str:
    return str(standing(folder, cursor, behind, is_running)["trouble"])


def test_all_is_well(folder: SweepFolder) -> None:
    nothing = {"restarts": 0, "trouble": None, "news": None}
    assert standing(folder, Cursor(seq=5), 0) == standing(folder, Cursor(seq=5), 3, is_running=True) == nothing


def test_a_driver_says_what_became_of_its_recorder_before_what_became_of_mlflow(folder: SweepFolder) -> None:
    cursor = Cursor(seq=5, trouble="it refuses connections", recorder_trouble="it was killed", restarts=3)
    assert standing(folder, cursor, 2, is_running=True) == {"restarts": 3, "trouble": "it was killed", "news": None}
    assert trouble(folder, Cursor(trouble="it refuses connections"), 2, is_running=True) == "it refuses connections"


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        (Cursor(seq=5), ""),
        (Cursor(seq=5, trouble="it refuses connections"), "it refuses connections; "),
        (Cursor(seq=5, recorder_trouble="another one starts in 8 s"), ""),  # it never will
    ],
)
def test_without_driver_and_recorder_a_backlog_is_told_with_its_reason_and_the_way_on(
    folder: SweepFolder, cursor: Cursor, why: str
) -> None:
    again = f"tuner record s --storage {folder.root.path}"
    assert trouble(folder, cursor, 2) == f"{why}no recorder is at work; record the rest with: {again}"


def test_a_recorder_that_outlived_its_driver_is_at_work(folder: SweepFolder) -> None:
    assert not is_at_work(folder) and not folder.recorder_lock.exists()
    with filelock.FileLock(folder.recorder_lock):
        assert is_at_work(folder)
        assert standing(folder, Cursor(seq=5), 2)["trouble"] is None
        assert trouble(folder, Cursor(seq=5, trouble="it refuses connections"), 2) == "it refuses connections"
    assert not is_at_work(folder)


def test_a_store_that_is_gone_is_told_though_nothing_was_behind(folder: SweepFolder) -> None:
    folder.root.database.unlink()  # type: ignore[union-attr]
    assert trouble(folder, Cursor(seq=5), 0).startswith(f"{folder.root.database}: there is no such file; no recorder")
    assert standing(folder, Cursor(), 0)["trouble"] is None  # never made


def test_news_are_told_with_their_time(folder: SweepFolder) -> None:
    told = standing(folder, Cursor(news="it was deleted", news_at=1_700_000_000.0), 0)["news"]
    assert told.startswith("2023-11-1") and told.endswith(": it was deleted")


def test_a_death_is_noted_under_the_recorders_lock_alone(folder: SweepFolder) -> None:
    write_cursor(folder, Cursor(uri="u", run_id="r", seq=7, at=3.0))
    note_death(folder, 2, "it was killed")
    expected = Cursor(uri="u", run_id="r", seq=7, at=3.0, restarts=2, recorder_trouble="it was killed")
    assert read_cursor(folder) == expected
    with filelock.FileLock(folder.recorder_lock):
        note_death(folder, 3, "one is at work again")
    assert read_cursor(folder) == expected


def test_a_folder_that_is_gone_is_no_trouble_of_the_driver(tmp_path: Path) -> None:
    note_death(StorageRoot(tmp_path).sweep("none"), 1, "it was killed")
