"""Which models of a sweep MLflow is to have, and what is recorded of each: a pure function of the folded sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuner.recording.names import Names
from tuner.recording.plan import Row
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class WantedModel:
    """The model of a trial's best epoch."""

    trial: int
    epoch: int
    name: str
    """MLflow's models have no dots in their names."""
    weights: str
    """The checkpoint's name in the sweep's folder."""
    is_best: bool
    """Whether it is the sweep's best trial's."""
    rows: tuple[Row, ...] = ()
    """The metrics of that epoch, as the trial's run has them."""
    tags: Mapping[str, str] = field(default_factory=dict)


def wanted_models(sweep: Sweep, names: Names) -> list[WantedModel]:
    """The models of an ended or interrupted sweep, the best trial's first; none of a script's, or without weights."""
    way = (sweep.spec.get("tracking") or {}).get("log_models", "best")
    if sweep.is_script or way == "none" or (sweep.ended is None and sweep.interrupted is None):
        return []
    best = sweep.best
    trials = [trial for trial in sweep.ranked() if trial is best or way == "kept"]
    return [
        WantedModel(
            trial.number,
            trial.best_epoch,
            _NOT_IN_NAMES.sub("-", f"{sweep.name}-trial-{trial.number}"),
            weights,
            trial is best,
            _rows(trial, names),
            {
                "tuner.sweep": sweep.name,
                "tuner.sweep_id": sweep.sweep_id,
                "tuner.trial": str(trial.number),
                "tuner.epoch": str(trial.best_epoch),
            },
        )
        for trial in trials
        if (weights := best_weights(trial))
    ]


def best_weights(trial: Trial) -> str:
    """The newest checkpoint with the trial's best epoch; empty if none is kept."""
    saved = (saved.path for saved in reversed(trial.checkpoints) if 0 < saved.best_epoch == trial.best_epoch)
    return next(saved, "")


def _rows(trial: Trial, names: Names) -> tuple[Row, ...]:
    epoch = next((epoch for epoch in reversed(trial.epochs) if epoch.epoch == trial.best_epoch), None)
    if epoch is None:
        return ()
    values = ((name, float(ev.metric_value(value))) for name, value in epoch.metrics.items())
    at_ms = int(epoch.at * 1000)
    return tuple(Row(names.metric(name), value, at_ms, epoch.epoch) for name, value in values if math.isfinite(value))
