"""Explains errors of tracking stores in one line, and says whether waiting can help."""

from __future__ import annotations

import re

from tuner.base.errors import TrackingError
from tuner.base.secrets import redacted, without_credentials

REASON_CHARS_MAX = 400

_STATUS = re.compile(r"failed with error code (\d{3})|too many (\d{3}) error responses")
_LOGIN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_LASTING_STATUSES = {
    "401": f"the credentials are wrong or missing ({_LOGIN})",
    "403": "access is denied: the user needs EDIT on the experiment, and the host a place among --allowed-hosts",
    "404": "there is no MLflow at this address: check host, port and path of tracking.uri",
    "405": "there is no MLflow at this address: check host, port and path of tracking.uri",
}
_LASTING_CODES = {"UNAUTHENTICATED": "401", "CUSTOMER_UNAUTHORIZED": "401", "PERMISSION_DENIED": "403"}
_NOT_MLFLOW = ("was not in a valid JSON format", "has no field named", "Expecting value")

_LASTING = (
    (
        re.compile(r"password authentication failed|Access denied for user|no password supplied"),
        "the database refuses the credentials (set PGUSER and PGPASSWORD, or the whole URI as MLFLOW_TRACKING_URI)",
    ),
    (re.compile(r"file is not a database|disk image is malformed"), "the file is damaged, or is not a SQLite database"),
    (re.compile(r'database "[^"]*" does not exist|Unknown database'), "there is no such database"),
    (
        re.compile(r"out-of-date database schema"),
        "its database is of another MLflow version: run `mlflow db upgrade` there",
    ),
    (re.compile(r"No module named '(\w+)'"), "its driver is not installed here"),
    (
        re.compile(r"Can't load plugin|Could not parse SQLAlchemy URL|Invalid url"),
        "MLflow does not support such an address",
    ),
)

_SQL = re.compile(r" \(?\[SQL: .*|\(Background on this error at: \S+\)")
"""What SQLAlchemy adds to the driver's message."""

_FAMILIAR = (
    (re.compile(r"Connection refused"), "it refuses connections"),
    (re.compile(r"timed out|timeout exception|timeout expired"), "it gave no answer in time"),
    (re.compile(r"Name or service not known|NameResolutionError|could not translate host name"), "its name is unknown"),
    (
        re.compile(r"Connection aborted|Connection reset|RemoteDisconnected|IncompleteRead|Connection broken"),
        "it closed the connection",
    ),
    (re.compile(r"database is locked"), "its database is locked by another process"),
)


_TABLES_GONE = re.compile(r'no such table|relation "[^"]*" does not exist|Table \S+ doesn\'t exist|Invalid object name')
"""What SQLite, PostgreSQL, MySQL and SQL Server say about a database that was emptied."""


class LastingRefusalError(TrackingError):
    """The store refuses, and waiting will not help, such as for wrong credentials or a wrong address."""


def tracking_error(error: BaseException, uri: str) -> TrackingError:
    """Turns any error of a client of the store at `uri` (HTTP, SQL, files) into one line for people."""
    text = " ".join(str(error).split())
    where = without_credentials(uri)
    match = _STATUS.search(text)
    status = next(filter(None, match.groups())) if match else _LASTING_CODES.get(getattr(error, "error_code", ""), "")
    if status in _LASTING_STATUSES:
        return LastingRefusalError(f"{where}: HTTP {status}: {_LASTING_STATUSES[status]}")
    if status:
        return TrackingError(f"{where}: it answers HTTP {status}")
    if any(sign in text for sign in _NOT_MLFLOW):
        return LastingRefusalError(f"{where}: what answers there is not MLflow: check tracking.uri")
    for pattern, reason in _LASTING:
        if pattern.search(text):
            return LastingRefusalError(f"{where}: {reason}: {one_line(error)}")
    for pattern, reason in _FAMILIAR:
        if pattern.search(text):
            return TrackingError(f"{where}: {reason}")
    return TrackingError(f"{where}: {one_line(error)}")


def tables_are_gone(error: BaseException) -> bool:
    """Whether a database's error says that MLflow's tables no longer exist."""
    return _TABLES_GONE.search(str(error)) is not None


def one_line(error: BaseException) -> str:
    """An error in one line for the log, without credentials, object addresses and SQL statements."""
    text = re.sub(r" at 0x[0-9a-f]+", "", " ".join(str(error).split()))
    text = _SQL.sub("", text).rstrip()
    return redacted(f"{type(error).__name__}: {text}")[:REASON_CHARS_MAX]
