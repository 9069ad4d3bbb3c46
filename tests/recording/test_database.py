"""Databases as tracking stores: the file of SQLite, however its driver is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.base.errors import TrackingError
from tuner.recording.database import check_reachable, sqlite_file
from tuner.recording.earlier import experiment_names


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////a/mlflow.db", "/a/mlflow.db"),
        ("sqlite:///a/mlflow.db?timeout=9", "a/mlflow.db"),
        ("sqlite+pysqlite:////a/mlflow.db", "/a/mlflow.db"),
        ("postgresql:///mlflow", None),
        ("https://mlflow.example.com", None),
    ],
)
def test_the_file_of_an_sqlite_store(uri: str, file: str | None) -> None:
    assert sqlite_file(uri) == (None if file is None else Path(file))


@pytest.mark.parametrize("scheme", ["sqlite", "sqlite+pysqlite"])
def test_who_only_reads_makes_no_file(scheme: str, tmp_path: Path) -> None:
    uri = f"{scheme}:///{tmp_path}/mlflow.db"
    with pytest.raises(TrackingError, match="there is no such file"):
        check_reachable(uri)
    assert experiment_names(uri) == [] and not list(tmp_path.iterdir())
