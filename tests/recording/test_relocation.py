"""Artifacts of a storage root that was moved or copied: in MLflow's own database, by its own client."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import PATIENCE_S
from tuner.base.errors import TrackingError
from tuner.recording import RecorderProcess, read_cursor, record
from tuner.recording.relocation import relocate_artifacts
from tuner.storage import StorageRoot
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def begin(new_story: type[Story], empty_database: Path, root: Path) -> Story:
    """A recorded sweep in a root with a blank in its name."""
    story = new_story(StorageRoot(root).sweep("s"))
    shutil.copy(empty_database, root / "mlflow.db")
    story.trial(0, [0.5])
    record(story.folder)
    assert list((root / "mlartifacts").rglob("spec.yaml"))
    return story


def artifacts(root: Path, sweep: Story) -> set[str]:
    """What MLflow's client finds in the sweep's run."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{root}/mlflow.db")
    run_id = read_cursor(StorageRoot(root).sweep("s")).run_id
    return {entry.path for entry in client.list_artifacts(run_id)}


def end(root: Path, story: Story) -> None:
    story.folder = StorageRoot(root).sweep("s")
    story.add(ev.SweepEnded(reason="all trials ended"))
    recorder = RecorderProcess(story.folder)  # in one process MLflow remembers where a run's artifacts were
    recorder.start()
    assert recorder.finish(PATIENCE_S)


def test_those_of_a_moved_root_are_found_and_new_ones_go_there(
    new_story: type[Story], empty_database: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old root", tmp_path / "new é root"
    story = begin(new_story, empty_database, old)
    old.rename(new)
    end(new, story)
    assert artifacts(new, story) == {"spec.yaml", "report.html"}
    assert list((new / "mlartifacts").rglob("report.html")) and not old.exists()


def test_the_original_of_a_copied_root_is_left_alone(
    new_story: type[Story], empty_database: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    story = begin(new_story, empty_database, old)
    shutil.copytree(old, new)
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    end(new, story)
    assert artifacts(new, story) == {"spec.yaml", "report.html"}
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before


def places(file: Path) -> list[Any]:
    with sqlite3.connect(file) as database:
        return database.execute("select artifact_location from experiments order by experiment_id").fetchall()


def test_other_names_and_others_places_are_left_alone(empty_database: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    shutil.copy(empty_database, file)
    (tmp_path / "mlartifacts").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    others = [
        "s3://bucket/mlartifacts",
        "file:///data/own",
        "mlflow-artifacts:/1",
        f"file://{tmp_path}/link/mlartifacts",
    ]
    with sqlite3.connect(file) as database:
        for number, place in enumerate([*others, "file:///gone/100%25_/mlartifacts"], 10):
            database.execute(
                "insert into experiments values (?, ?, ?, 'active', 0, 0, 'default')", [number, str(number), place]
            )
    location = f"file://{tmp_path}/mlartifacts"
    assert relocate_artifacts(f"sqlite:///{file}", location) == 1
    assert [place for (place,) in places(file)[1:]] == [*others, location]
    assert relocate_artifacts(f"sqlite:///{file}", location) == 0


def test_a_store_that_is_none_is_one_line(tmp_path: Path) -> None:
    assert relocate_artifacts(f"sqlite:///{tmp_path}/none.db", "file:///x/mlartifacts") == 0
    assert relocate_artifacts("http://127.0.0.1:9", "file:///x/mlartifacts") == 0
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    with pytest.raises(TrackingError, match="the file is damaged, or is not a SQLite database"):
        relocate_artifacts(f"sqlite:///{tmp_path}/bad.db", "file:///x/mlartifacts")
