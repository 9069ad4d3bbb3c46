"""Reads the runs of any experiment, Tuner's or others', as plain values, for sweeps that start from them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.base.errors import TrackingError
from tuner.base.outcomes import UNUSABLE
from tuner.recording.client import as_tracking_errors, found_by, readers, reading_client
from tuner.recording.database import sqlite_file
from tuner.recording.names import changed_key, metric_key, param_key
from tuner.spec.expressions import as_expression


@dataclass(frozen=True)
class EarlierRun:
    """A run, with the values of one metric ordered by step; the newest value for each step."""

    run_id: str
    params: dict[str, str]
    values: tuple[float, ...]
    is_ours: bool
    """Whether it is a trial that Tuner recorded, with one value an epoch."""
    is_finished: bool
    failed: bool
    """Whether it is a trial of Tuner's that diverged or failed. Why other runs failed is unknown."""

    def param(self, name: str) -> str | None:
        """The run's value of a parameter, which may be recorded under another key."""
        return self.params.get(_kept_as(name, param_key(name), self.is_ours, self.params))


def experiment_names(uri: str) -> list[str]:
    """The names of the experiments in a tracking store; empty if its file does not exist.

    Raises:
        TrackingError: it cannot be read.
    """
    if (file := sqlite_file(uri)) is not None and not file.exists():
        return []
    with as_tracking_errors(uri):
        return [str(found.name) for found in found_by(reading_client(uri).search_experiments)]


def read_earlier_runs(uri: str, experiment: str, metric: str, at_most: int) -> list[EarlierRun]:
    """The newest runs of an experiment, without the parent runs of sweeps.

    Raises:
        TrackingError: the store cannot be read, or the experiment is gone.
    """
    with as_tracking_errors(uri), readers(uri) as threads:
        client = reading_client(uri)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            raise TrackingError(f"experiment {experiment!r} is gone")
        order = {"order_by": ["attributes.start_time DESC"]}
        runs = []
        for run in found_by(client.search_runs, [found.experiment_id], **order):
            if "tuner.sweep" in run.data.tags and "tuner.trial" not in run.data.tags:
                continue
            runs.append(run)
            if len(runs) == at_most:
                break
        histories = threads.map(lambda run: _history(client, run, metric), runs)
        return [_earlier(run, values) for run, values in zip(runs, histories, strict=True)]


def _earlier(run: Any, values: tuple[float, ...]) -> EarlierRun:
    tags = run.data.tags
    return EarlierRun(
        run_id=str(run.info.run_id),
        params=dict(run.data.params),
        values=values,
        is_ours="tuner.trial" in tags,
        is_finished=run.info.status == "FINISHED",
        failed=tags.get("tuner.outcome") in UNUSABLE,
    )


def _kept_as(name: str, key: str, is_ours: bool, kept: Mapping[str, Any]) -> str:
    """The key of a name in a run: by the rules of `names.py` in a run of Tuner's, else the name itself."""
    if not is_ours:
        return name
    return changed if (changed := changed_key(name)) in kept else key


def _history(client: Any, run: Any, metric: str) -> tuple[float, ...]:
    """The values of a metric, or of an expression of metrics at the steps that have all of them."""
    values = _by_step(client, run, metric)
    expression = as_expression(metric)
    if values or expression is None:
        return tuple(values.values())
    parts = {name: _by_step(client, run, name) for name in expression.names}
    steps = sorted(set.intersection(*(set(of_name) for of_name in parts.values())))
    return tuple(expression.number({name: of_name[step] for name, of_name in parts.items()}) for step in steps)


def _by_step(client: Any, run: Any, metric: str) -> dict[int, float]:
    key = _kept_as(metric, metric_key(metric), "tuner.trial" in run.data.tags, run.data.metrics)
    if key not in run.data.metrics:
        return {}
    rows = sorted(client.get_metric_history(run.info.run_id, key), key=lambda row: (row.step, row.timestamp))
    return {row.step: _value(float(row.value)) for row in rows}


def _value(kept: float) -> float:
    """Restores infinity, which MLflow's SQL stores replace with the largest float."""
    return math.copysign(math.inf, kept) if abs(kept) == sys.float_info.max else kept
