"""Databases that are used as tracking stores directly, without a server."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tuner.base.errors import TrackingError
from tuner.base.secrets import without_credentials
from tuner.recording.reasons import tracking_error

_SQLITE = re.compile(r"sqlite(\+\w+)?:///")
_SCHEMES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
CONNECT_S = 10


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite URI; None for any other."""
    found = _SQLITE.match(uri)
    return Path(uri[found.end() :].partition("?")[0]) if found else None


def check_database(uri: str) -> None:
    """Raises the driver's error if an SQL database cannot be reached. Does nothing for other URIs.

    MLflow itself would retry for minutes with longer and longer pauses, and notice late that the database is back.
    """
    if uri.partition(":")[0].partition("+")[0] not in _SCHEMES:
        return
    import sqlalchemy

    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_S))  # libpq would wait forever
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("select count(*) from sqlite_master" if uri.startswith("sqlite") else "select 1")


def check_reachable(uri: str) -> None:
    """Like `check_database`, for readers: SQLite and MLflow would create a missing file.

    Raises:
        TrackingError: the database does not exist or cannot be reached.
    """
    if (file := sqlite_file(uri)) is not None and not file.exists():
        raise TrackingError(f"{without_credentials(uri)}: there is no such file")
    try:
        check_database(uri)
    except Exception as error:  # of any driver
        raise tracking_error(error, uri) from error
