"""Objectives that are expressions, in the reports of workers that do not compute them."""

from __future__ import annotations

import math

from tuner.engine.messages import Report, TrainedEpoch
from tuner.engine.objective import missing_text, with_objective

METRIC = "val_loss + 0.1 * latency_ms"


def report(*epochs: dict[str, float | None]) -> Report:
    trained = tuple(TrainedEpoch(number, metrics, 1.0) for number, metrics in enumerate(epochs, 1))
    return Report(0, 1, "here", 1, (), None, trained)


def test_each_epoch_has_the_objective_that_its_metrics_make() -> None:
    found = with_objective(report({"val_loss": 1.0, "latency_ms": 10.0}, {"val_loss": None, "latency_ms": 1.0}), METRIC)
    first, second = (epoch.metrics[METRIC] for epoch in found.epochs)
    assert first == 2.0 and second is not None and math.isnan(second)


def test_a_report_that_has_it_or_lacks_a_part_stays_as_it_is() -> None:
    for told in (report({METRIC: 3.0, "val_loss": 1.0, "latency_ms": 1.0}), report({"val_loss": 1.0}), report()):
        assert with_objective(told, METRIC) is told
    told = report({"val_loss": 1.0})
    assert with_objective(told, "val_loss") is told


def test_what_is_missing_is_named() -> None:
    epoch = TrainedEpoch(3, {"val_loss": 1.0}, 1.0)
    assert missing_text(METRIC, epoch) == "no metric 'latency_ms' after epoch 3: ['val_loss']"
    assert missing_text("auc", epoch) == "no metric 'auc' after epoch 3: ['val_loss']"
