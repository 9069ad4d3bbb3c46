"""Reads what a tracking store holds about a sweep, as plain values, for verification. Never writes to the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.base.errors import TrackingError
from tuner.recording.client import PAGE_SIZE, as_tracking_errors, found_by, readers, reading_client
from tuner.recording.plan import Row
from tuner.recording.target import Target

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


@dataclass(frozen=True)
class RecordedRun:
    """A run that is not deleted. `trial` is None for the sweep's own run, the parent."""

    run_id: str
    trial: int | None
    parent_run_id: str | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    rows: tuple[Row, ...]
    """Every row of every metric."""


def read_runs(target: Target, sweep_id: str) -> Iterator[RecordedRun]:
    """Iterates over all runs of a sweep, the parent first, then by trial. Reads lazily, one page of runs at a time.

    Raises:
        TrackingError: the store cannot be reached, or has no such experiment.
    """
    with as_tracking_errors(target.uri):
        yield from _read(target, sweep_id)


def _read(target: Target, sweep_id: str) -> Iterator[RecordedRun]:
    client = reading_client(target.uri)
    experiment = client.get_experiment_by_name(target.experiment)
    if experiment is None:
        raise TrackingError(f"{target.public_uri}: has no experiment {target.experiment!r}")
    of_sweep = f"tags.`tuner.sweep_id` = '{sweep_id}'"
    found = sorted(found_by(client.search_runs, [experiment.experiment_id], of_sweep), key=_place)
    with readers(target.uri) as threads:
        for first in range(0, len(found), PAGE_SIZE):
            page = found[first : first + PAGE_SIZE]
            wanted = [(run.info.run_id, key) for run in page for key in run.data.metrics]
            histories = threads.map(lambda item: _history(client, *item), wanted)
            for run in page:
                yield _recorded(run, [row for _ in run.data.metrics for row in next(histories)])


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
