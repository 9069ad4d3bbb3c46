"""The default tracking store is made whole or not at all: a process killed in the middle of MLflow's dozens of
migrations would leave a database that nobody can open, and two that migrate at the same time break each other's."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
from mlflow import MlflowClient

_PREFIX = "sqlite:///"


def create_database(uri: str) -> None:
    """Makes the database of an SQLite URI, unless it is there; other URIs need nothing."""
    if not uri.startswith(_PREFIX):
        return
    path = Path(uri.removeprefix(_PREFIX).partition("?")[0]).absolute()
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        if not path.exists():
            _create(path)


def _create(path: Path) -> None:
    making = path.with_name(f".{path.name}.new")
    for remnant in (making, making.with_name(f"{making.name}-journal")):
        remnant.unlink(missing_ok=True)
    MlflowClient(f"{_PREFIX}{making}").search_experiments(max_results=1)
    os.replace(making, path)
