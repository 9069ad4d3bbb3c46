"""Spares MLflow's SQLite store what it does over and over: half of a trial's statements set the same pragmas again.

Nothing of this changes what is written, or in which transactions.
"""

from __future__ import annotations

from typing import Any

from mlflow import MlflowClient
from mlflow.store.db.db_types import SQLITE
from mlflow.store.db.utils import _get_managed_session_maker
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import event
from sqlalchemy.orm import sessionmaker

_PRAGMAS = ("foreign_keys = ON", "busy_timeout = 20000", "case_sensitive_like = true")
"""As MLflow sets them in each of some seven transactions a trial; a connection keeps them."""


def spare_repetition(client: MlflowClient) -> None:
    """Does so for a client of SQLite; does nothing for others."""
    store: Any = client._tracking_client.store
    if not isinstance(store, SqlAlchemyStore) or store.db_type != SQLITE:
        return
    store.engine.dispose()
    if not event.contains(store.engine, "connect", _set_pragmas):
        event.listen(store.engine, "connect", _set_pragmas)
    store.ManagedSessionMaker = _get_managed_session_maker(sessionmaker(bind=store.engine), "without pragmas")


def _set_pragmas(connection: Any, record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
