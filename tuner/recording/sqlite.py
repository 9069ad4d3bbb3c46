"""Creates the default tracking store atomically. A process that is killed during MLflow's dozens of migrations would
leave an unusable database, and two processes that migrate at the same time break each other's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking._tracking_service import utils
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tuner.recording.database import sqlite_file
from tuner.recording.storefiles import is_empty, is_missing

_BESIDE = ("-journal", "-wal", "-shm")
"""SQLite's files beside a database. If left behind by a deleted one, they would be applied to the next one."""


def create_database(uri: str) -> bool:
    """Creates the database of a SQLite URI unless it exists; returns whether it did. Does nothing for other URIs.

    An empty file does not count: it is left when a database is emptied, or was never completed.
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
    """Makes MLflow reconnect. It caches a store and its connections by URI, even if the file is gone."""
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
        with _unsynced():
            MlflowClient(f"sqlite:///{making}").search_experiments(max_results=1)
    finally:
        forget_connections(f"sqlite:///{making}")
    with open(making, "rb") as file:
        os.fsync(file.fileno())
    _remove(path, *_BESIDE)
    os.replace(making, path)


@contextmanager
def _unsynced() -> Iterator[None]:
    """New connections do not wait for the disk: hundreds of times, for a database that nobody uses yet."""

    def relax(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)


def _remove(path: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
