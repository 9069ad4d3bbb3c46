"""The trials and learning curves of a sweep as pandas tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuner.sweep import Sweep, Trial
from tuner.sweep.events import metric_value

if TYPE_CHECKING:
    from pandas import DataFrame, Series

TRIAL_COLUMNS = ("number", "outcome", "best", "best_epoch", "last", "epochs", "attempts", "seconds", "reason", "run_id")
"""The columns of `trials()`; parameters come after the number."""
CURVE_COLUMNS = ("number", "epoch", "attempt", "seconds", "decision", "reason")
"""The columns of `curves()`; metrics come after the epoch."""


def trials_frame(sweep: Sweep, run_ids: Mapping[int, str]) -> DataFrame:
    """One row per trial, by number.

    A parameter with the name of another column becomes `param_NAME`; an inactive parameter is a missing value.
    """
    params = {name: f"param_{name}" if name in TRIAL_COLUMNS else name for name in sweep.spec["space"]}
    rows = [
        {**{params[name]: value for name, value in trial.params.items() if name in params}, **_row(trial, sweep)}
        for trial in sweep.trials.values()
    ]
    for row, trial in zip(rows, sweep.trials.values(), strict=True):
        row["run_id"] = run_ids.get(trial.number)
    columns = [TRIAL_COLUMNS[0], *params.values(), *TRIAL_COLUMNS[1:]]
    return _frame(rows, columns, whole=("number", "best_epoch", "epochs", "attempts"), real=("best", "last", "seconds"))


def curves_frame(sweep: Sweep) -> DataFrame:
    """One row per epoch, by trial and epoch; a metric that diverged is NaN.

    A metric with the name of another column becomes `metric_NAME`.
    """
    metrics = dict.fromkeys(name for trial in sweep.trials.values() for epoch in trial.epochs for name in epoch.metrics)
    metrics.pop("epoch_s", None)
    columns = {name: f"metric_{name}" if name in CURVE_COLUMNS else name for name in metrics}
    rows = [
        {
            "number": trial.number,
            "epoch": epoch.epoch,
            **{columns[name]: metric_value(value) for name, value in epoch.metrics.items() if name in columns},
            "attempt": epoch.attempt,
            "seconds": epoch.epoch_s,
            "decision": epoch.decision,
            "reason": epoch.reason,
        }
        for trial in sweep.trials.values()
        for epoch in trial.epochs
    ]
    names = [*CURVE_COLUMNS[:2], *columns.values(), *CURVE_COLUMNS[2:]]
    return _frame(rows, names, whole=("number", "epoch", "attempt"), real=("seconds", *columns.values()))


def _row(trial: Trial, sweep: Sweep) -> dict[str, Any]:
    return {
        "number": trial.number,
        "outcome": trial.state,
        "best": trial.best_value,
        "best_epoch": trial.best_epoch,
        "last": metric_value(trial.epochs[-1].metrics.get(sweep.metric)) if trial.epochs else float("nan"),
        "epochs": trial.epochs_trained,
        "attempts": trial.attempts,
        "seconds": trial.training_s,
        "reason": trial.reason,
    }


def _frame(rows: list[dict[str, Any]], columns: list[str], whole: tuple[str, ...], real: tuple[str, ...]) -> DataFrame:
    import pandas as pd

    found = {name: pd.Series([row.get(name) for row in rows], dtype=object, name=name) for name in columns}
    typed = {
        name: series.astype("int64" if name in whole else "float64") if name in (*whole, *real) else _typed(series)
        for name, series in found.items()
    }
    return pd.DataFrame(typed, columns=columns)


def _typed(series: Series[Any]) -> Series[Any]:
    """The values of a parameter as their common type; integers stay integers even if some are missing."""
    there = series.dropna()
    kinds = {type(value) for value in there}
    if not kinds or not kinds <= {int, float}:
        return series.astype("bool") if kinds == {bool} and len(there) == len(series) else series
    if kinds == {int}:
        return series.astype("int64") if len(there) == len(series) else series.astype("Int64")
    return series.astype("float64")
