"""Spares MLflow's SQLite store what it does over and over: half of a trial's statements set the same pragmas again.

Nothing of this changes what is written, or in which transactions.
"""

from __future__ import annotations

import contextlib
from typing import Any

from mlflow import MlflowClient
from mlflow.store.db.db_types import SQLITE
from mlflow.store.db.utils import _get_managed_session_maker
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import sessionmaker

_RUNS_MIN = 500
_ANALYSIS_ROWS = 1000
"""Of each index that are looked at, so that it takes a moment however many there are."""
_STATISTICS = "select 1 from sqlite_master where name = 'sqlite_stat1'"
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


def is_analysis_due(num_runs: int) -> bool:
    """Whether so many runs call for statistics: at 500, and whenever they have doubled."""
    return num_runs >= _RUNS_MIN and num_runs % _RUNS_MIN == 0 and (num_runs // _RUNS_MIN).bit_count() == 1


def analyze(client: MlflowClient, is_first: bool = False) -> None:
    """Lets SQLite look at how its rows are spread; does nothing for other stores, or where it cannot.

    Without it, a search ordered by a metric goes through that metric of all runs for each run, which takes seconds
    on MLflow's page of 10,000 runs.

    Args:
        is_first: only where nobody did before.
    """
    store: Any = client._tracking_client.store
    if not isinstance(store, SqlAlchemyStore) or store.db_type != SQLITE:
        return
    with contextlib.suppress(SQLAlchemyError), store.engine.begin() as connection:
        if is_first and connection.exec_driver_sql(_STATISTICS).first() is not None:
            return
        connection.exec_driver_sql(f"PRAGMA analysis_limit = {_ANALYSIS_ROWS}")
        connection.exec_driver_sql("ANALYZE")


def _set_pragmas(connection: Any, record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
