"""Whether the files of a store are still those in which was recorded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.recording.storefiles import StoreFiles
from tuner.recording.target import RunsLostError, Target


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "mlflow.db").write_bytes(b"a database")
    return Target(f"sqlite:///{tmp_path}/mlflow.db", "e", (tmp_path / "mlartifacts").as_uri())


def delete(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("old.db"))


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"another database")
    os.replace(path.with_name("new"), path)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def delete_the_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    ("befall", "what"),
    [
        (delete, "was deleted while"),
        (move_away, "was deleted while"),
        (delete_the_folder, "was deleted while"),
        (replace, "was replaced by another file while"),
        (empty, "was emptied while"),
    ],
)
def test_a_database_that_is_no_longer_the_same(
    target: Target, tmp_path: Path, befall: Callable[[Path], None], what: str
) -> None:
    files = StoreFiles(target)
    files.check()
    befall(tmp_path / "mlflow.db")
    with pytest.raises(RunsLostError, match=f"mlflow.db {what} the sweep was recorded"):
        files.check()


def test_artifacts_are_missed_once_they_were_there(target: Target, tmp_path: Path) -> None:
    files = StoreFiles(target)
    files.check()
    (tmp_path / "mlartifacts").mkdir()
    files.check()
    (tmp_path / "mlartifacts").rmdir()
    with pytest.raises(RunsLostError, match="mlartifacts was deleted while"):
        files.check()


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="Linux alone can hold a file without opening it")
def test_what_another_recorder_made_anew_is_known_though_inodes_are_used_again(target: Target, tmp_path: Path) -> None:
    for _ in range(10):
        (tmp_path / "mlartifacts").mkdir()
        num_open = len(os.listdir("/proc/self/fd"))
        files = StoreFiles(target)
        files.check()
        (tmp_path / "mlartifacts").rmdir()
        (tmp_path / "mlartifacts").mkdir()
        with pytest.raises(RunsLostError, match="mlartifacts was replaced by another folder while"):
            files.check()
        del files
        assert len(os.listdir("/proc/self/fd")) == num_open
        (tmp_path / "mlartifacts").rmdir()


def test_a_database_that_only_grows_is_the_same(target: Target, tmp_path: Path) -> None:
    files = StoreFiles(target)
    with open(tmp_path / "mlflow.db", "ab") as file:
        file.write(b"x" * 100_000)
    os.truncate(tmp_path / "mlflow.db", 10)
    files.check()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "postgresql://host/mlflow"])
def test_a_server_has_no_files_here(uri: str) -> None:
    StoreFiles(Target(uri, "e", None)).check()
