"""Bounds on what users' code puts into a report, so that no event is longer than a journal's line may be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tuner.base.errors import bounded_text
from tuner.engine.messages import Report, SavedCheckpoint, TrainedEpoch
from tuner.sweep.events import Metrics

METRICS_MAX = 1000
"""Of one epoch. MLflow does not take more at once, either."""
NAME_CHARS_MAX = 500
LINE_CHARS_MAX = 2000
"""Of a reason or a note."""
NOTES_MAX = 100

_KEPT_FIRST = ("loss", "val_loss", "learning_rate", "epoch_s")
"""Besides the objective: the metrics that every epoch reports."""


def bounded(report: Report, metric: str) -> tuple[Report, str]:
    """The report within all bounds, and a message about its metrics if some were left out.

    Args:
        metric: the objective, which is always kept.
    """
    epochs = tuple(_epoch(epoch, metric) for epoch in report.epochs)
    checkpoints = tuple(_checkpoint(saved) for saved in report.checkpoints)
    notes = tuple(bounded_text(note, LINE_CHARS_MAX) for note in report.notes[:NOTES_MAX])
    warnings = tuple(bounded_text(text, LINE_CHARS_MAX) for text in report.warnings[:NOTES_MAX])
    failure = report.failure
    if failure is not None:
        message = bounded_text(failure.message, LINE_CHARS_MAX)
        failure = replace(failure, message=message, traceback=bounded_text(failure.traceback))
    cut = replace(report, epochs=epochs, checkpoints=checkpoints, failure=failure, notes=notes, warnings=warnings)
    return cut, _left_out(report, cut)


def _left_out(report: Report, cut: Report) -> str:
    before = [*((e.epoch, e.metrics) for e in report.epochs), *((c.epoch, c.test) for c in report.checkpoints)]
    kept = [*(epoch.metrics for epoch in cut.epochs), *(saved.test for saved in cut.checkpoints)]
    for (epoch, metrics), after in zip(before, kept, strict=True):
        if len(after) < len(metrics):
            return (
                f"epoch {epoch} reports {len(metrics)} metrics, of which {len(after)} are recorded: an epoch may have"
                f" {METRICS_MAX}, with names of at most {NAME_CHARS_MAX} characters"
            )
    return ""


def _epoch(epoch: TrainedEpoch, metric: str) -> TrainedEpoch:
    kept = _metrics(epoch.metrics, (metric, *_KEPT_FIRST))
    return epoch if kept is epoch.metrics else replace(epoch, metrics=kept)


def _checkpoint(saved: SavedCheckpoint) -> SavedCheckpoint:
    kept = _metrics(saved.test, ())
    return saved if kept is saved.test else replace(saved, test=kept)


def _metrics(metrics: Metrics, first: Iterable[str]) -> Metrics:
    """The same object if all is within bounds; else the metrics that must stay, and as many others as fit."""
    if len(metrics) <= METRICS_MAX and all(len(name) <= NAME_CHARS_MAX for name in metrics):
        return metrics
    kept = {name: metrics[name] for name in first if name in metrics}
    for name, value in metrics.items():
        if len(kept) >= METRICS_MAX:
            break
        if len(name) <= NAME_CHARS_MAX:
            kept[name] = value
    return {name: metrics[name] for name in metrics if name in kept}
