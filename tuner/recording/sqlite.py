"""The default tracking store is made whole or not at all: a process killed in the middle of MLflow's dozens of
migrations would leave a database that nobody can open, and two that migrate at the same time break each other's."""

from __future__ import annotations

import os
from pathlib import Path

import filelock
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking._tracking_service import utils

from tuner.recording.database import sqlite_file
from tuner.recording.storefiles import is_empty, is_missing

_BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database. Of one that was deleted, it would be played into the next one of its name."""


def create_database(uri: str) -> bool:
    """Makes the database of an SQLite URI, unless it is there; other URIs need nothing. True if it was made.

    An empty file is none: that is what is left of a database that was emptied, or never made.
    """
    file = sqlite_file(uri)
    if file is None or not _is_wanted(file):
        return False
    path = file.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        if not _is_wanted(path):
            return False
        _create(path)
        return True


def forget_connections(uri: str) -> None:
    """Lets MLflow connect anew: it keeps a store and its connections by URI, also those to a file that is gone."""
    engine = SqlAlchemyStore._engine_map.pop(uri, None)
    if engine is not None:
        engine.dispose()
    utils._tracking_store_registry._get_store_with_resolved_uri.cache_clear()


def _is_wanted(path: Path) -> bool:
    return is_missing(path) or is_empty(path)


def _create(path: Path) -> None:
    making = path.with_name(f".{path.name}.new")
    _remove(making, "", *_BESIDE)
    try:
        MlflowClient(f"sqlite:///{making}").search_experiments(max_results=1)
    finally:
        forget_connections(f"sqlite:///{making}")
    _remove(path, *_BESIDE)
    os.replace(making, path)


def _remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
