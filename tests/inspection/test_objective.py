"""Objectives that are expressions of a trainable's metrics."""

from __future__ import annotations

import pytest

from tests.simulation import make_spec
from tuner.inspection import Inspected
from tuner.inspection.fit import metric_problems

METRICS = ["loss", "val_loss", "val_accuracy", "latency_ms", "val/f1", "learning_rate", "epoch_s"]


def problems(metric: str) -> list[str]:
    return metric_problems(make_spec(objective__metric=metric), METRICS)


@pytest.mark.parametrize(
    "metric",
    ["val_loss + 0.1 * latency_ms", "val_loss+0.1*latency_ms", "val_loss/latency_ms", "val_loss-latency_ms", "val/f1",
     "`val/f1` - val_loss", "max(val_loss, 1 - val_accuracy)"],
)  # fmt: skip
def test_valid_ones(metric: str) -> None:
    assert problems(metric) == []


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        ("val_los + 0.1 * latency_ms", ["got 'val_los'; did you mean 'val_loss'?"]),
        ("val_los + latency", ["'val_los'; did you mean 'val_loss'?", "'latency'; did you mean 'latency_ms'?"]),
        ("val_loss/latency", ["got 'latency'; did you mean 'latency_ms'?"]),
        ("val_loss + * 2", ["its syntax is wrong at character 12 ('* 2')"]),
        ("mean(val_loss)", ["no functions but min, max, abs, log, log10, exp, sqrt, but got mean at character 1"]),
        ("1 + 2", ["must have a metric in it"]),
        ("val-accuracy", ["must be a metric that the trainable reports, but got 'val-accuracy'; did you mean"]),
        ("val/f2", ["but got 'val/f2'; did you mean 'val/f1'?"]),
        ("acuracy", ["must be a metric that the trainable reports, but got 'acuracy'"]),
    ],
)
def test_mistakes(metric: str, found: list[str]) -> None:
    lines = problems(metric)
    assert len(lines) == len(found)
    for line, part in zip(lines, found, strict=True):
        assert line.startswith("objective.metric: must ") and part in line


def test_what_could_be_a_name_is_spelt_out_where_it_is_none() -> None:
    for written, metric in (
        ("val_loss/latency_ms", "val_loss / latency_ms"), ("val/f1", "val/f1"), ("val_loss*2", "val_loss * 2"),
    ):  # fmt: skip
        spec = make_spec(objective__metric=written)
        assert Inspected({}, METRICS, None).resolve(spec, "spec").objective.metric == metric
