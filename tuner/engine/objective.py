"""An objective that is an expression: its value in epochs of a worker that does not compute it."""

from __future__ import annotations

from dataclasses import replace

from tuner.engine.messages import Report, TrainedEpoch
from tuner.spec.expressions import as_expression, with_value_of


def with_objective(report: Report, metric: str) -> Report:
    """The report with the objective in each epoch that has the metrics for it."""
    epochs = tuple(_epoch(epoch, metric) for epoch in report.epochs)
    return report if all(map(_is_same, epochs, report.epochs)) else replace(report, epochs=epochs)


def missing_text(metric: str, epoch: TrainedEpoch) -> str:
    """What an epoch lacks for its objective."""
    expression = as_expression(metric)
    names = [metric] if expression is None else [name for name in expression.names if name not in epoch.metrics]
    missing = ", ".join(map(repr, names or [metric]))
    return f"no metric {missing} after epoch {epoch.epoch}: {sorted(epoch.metrics)}"


def _epoch(epoch: TrainedEpoch, metric: str) -> TrainedEpoch:
    metrics = with_value_of(metric, epoch.metrics)
    return epoch if metrics is epoch.metrics else replace(epoch, metrics=metrics)


def _is_same(one: object, other: object) -> bool:
    return one is other
