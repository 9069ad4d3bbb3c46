"""The default tracking store is made whole or not at all: a process killed in the middle of MLflow's dozens of
migrations would leave a database that nobody can open, and two that migrate at the same time break each other's."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
from mlflow import MlflowClient

from tuner.recording.database import sqlite_file


def create_database(uri: str) -> None:
    """Makes the database of an SQLite URI, unless it is there; other URIs need nothing."""
    file = sqlite_file(uri)
    if file is None or file.exists():
        return
    path = file.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            _create(path)


def _create(path: Path) -> None:
    making = path.with_name(f".{path.name}.new")
    for remnant in (making, making.with_name(f"{making.name}-journal")):
        remnant.unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{making}").search_experiments(max_results=1)
    os.replace(making, path)
