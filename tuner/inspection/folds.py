"""What cross-validation makes of a trainable's data, before a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from trainables.contract import Data, DataError, Trainable
from trainables.folding import fold_data, fold_metric_names
from tuner.spec import SweepSpec


def folds_of(spec: SweepSpec, trainable: Trainable, data: Data) -> tuple[list[Data] | None, list[str]]:
    """The data of each fold, None without cross-validation; or why they cannot be divided so.

    Raises:
        Exception: whatever the trainable's `folds` raises.
    """
    try:
        return fold_data(trainable, data, spec.folds, spec.search.seed), []
    except DataError as error:
        text = str(error)
        return None, [f"folds: {text.removeprefix('folds ')}" if text.startswith("folds ") else f"trainable: {text}"]


def metrics_of(metrics: Sequence[str], folds: Sequence[Data] | None) -> list[str]:
    """What an epoch reports, where one fold's epoch reports these metrics."""
    return fold_metric_names(metrics, len(folds)) if folds else list(metrics)
