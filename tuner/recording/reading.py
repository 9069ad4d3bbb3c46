"""What a tracking store holds of a sweep, as plain values; for verification. Changes nothing in the store."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.base.errors import TrackingError
from tuner.recording.database import check_reachable, sqlite_file
from tuner.recording.plan import Row
from tuner.recording.reasons import tracking_error
from tuner.recording.target import Target

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000
_READERS = 8
"""Requests at the same time, for a server; a history is one request a run and metric."""


@dataclass(frozen=True)
class RecordedRun:
    """A run that is not deleted. `trial` is None for the sweep's own, the parent."""

    run_id: str
    trial: int | None
    parent_run_id: str | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    rows: tuple[Row, ...]
    """Every row of every metric."""


def read_runs(target: Target, sweep_id: str) -> Iterator[RecordedRun]:
    """Every run of a sweep, the parent first, then by trial; read while it is iterated, a page of runs at a time.

    Raises:
        TrackingError: the store cannot be reached, or has no such experiment.
    """
    try:
        yield from _read(target, sweep_id)
    except TrackingError:
        raise
    except Exception as error:  # HTTP, SQL, files
        raise tracking_error(error, target.uri) from error


def _read(target: Target, sweep_id: str) -> Iterator[RecordedRun]:
    client = _client(target)
    experiment = client.get_experiment_by_name(target.experiment)
    if experiment is None:
        raise TrackingError(f"{target.public_uri}: has no experiment {target.experiment!r}")
    found = sorted(_search(client, experiment.experiment_id, sweep_id), key=_place)
    with ThreadPoolExecutor(1 if sqlite_file(target.uri) else _READERS) as readers:
        for first in range(0, len(found), _PAGE):
            page = found[first : first + _PAGE]
            wanted = [(run.info.run_id, key) for run in page for key in run.data.metrics]
            histories = readers.map(lambda item: _history(client, *item), wanted)
            for run in page:
                yield _recorded(run, [row for _ in run.data.metrics for row in next(histories)])


def _client(target: Target) -> MlflowClient:
    check_reachable(target.uri)
    quiet_mlflow()
    from mlflow import MlflowClient

    return MlflowClient(target.uri, registry_uri=target.uri)


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


def _search(client: MlflowClient, experiment_id: str, sweep_id: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], f"tags.`tuner.sweep_id` = '{sweep_id}'", max_results=_PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _place(run: Run) -> int:
    return int(run.data.tags.get("tuner.trial", -1))


def _history(client: MlflowClient, run_id: str, key: str) -> list[Row]:
    return [Row(key, metric.value, metric.timestamp, metric.step) for metric in client.get_metric_history(run_id, key)]


def _recorded(run: Run, rows: list[Row]) -> RecordedRun:
    tags: dict[str, Any] = run.data.tags
    return RecordedRun(
        run_id=run.info.run_id,
        trial=int(tags["tuner.trial"]) if "tuner.trial" in tags else None,
        parent_run_id=tags.get("mlflow.parentRunId"),
        status=str(run.info.status),
        params=dict(run.data.params),
        tags=dict(tags),
        rows=tuple(rows),
    )
