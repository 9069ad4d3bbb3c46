"""What every reader of a tracking store needs: a quiet MLflow client, its pages, and one kind of error."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tuner.base.errors import TrackingError
from tuner.recording.database import check_reachable, sqlite_file
from tuner.recording.reasons import tracking_error

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE_SIZE = 1000
"""Runs or experiments that one request returns at most."""
_READERS = 8
"""Requests at the same time, for a server; a metric's history is one request a run and metric."""


def quiet_mlflow() -> None:
    """Imports mlflow, which takes seconds, without its noise."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: F401 - its warnings come with its import
    for name in ("mlflow", "alembic", "sqlalchemy", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def reading_client(uri: str) -> MlflowClient:
    """A client of a store that must exist.

    Raises:
        TrackingError: the store's database cannot be reached.
    """
    check_reachable(uri)
    quiet_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(uri, registry_uri=uri)


def readers(uri: str) -> ThreadPoolExecutor:
    """Threads that read from a store at the same time: one for SQLite, several for a server."""
    return ThreadPoolExecutor(1 if sqlite_file(uri) else _READERS)


def pages(search: Any, *args: Any, **options: Any) -> Iterator[Any]:
    """The pages of a search, each a list of up to PAGE_SIZE runs or experiments.

    Args:
        search: a method of MLflow's client that takes `max_results` and `page_token`.
    """
    token = None
    while True:
        page = search(*args, max_results=PAGE_SIZE, page_token=token, **options)
        yield page
        token = page.token
        if not token:
            return


def found_by(search: Any, *args: Any, **options: Any) -> Iterator[Any]:
    """Everything that a search finds, page by page (see `pages`)."""
    for page in pages(search, *args, **options):
        yield from page


@contextmanager
def as_tracking_errors(uri: str) -> Iterator[None]:
    """Turns whatever a client of the store raises (HTTP, SQL, files) into a TrackingError."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise tracking_error(error, uri) from error
