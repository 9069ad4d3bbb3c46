"""The numbers behind a report, as JSON has them."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from tuner.analysis.advice import advice_data
from tuner.analysis.curves import best_so_far
from tuner.analysis.importance_values import Importance, Unknown, importance_data
from tuner.analysis.outcomes import endings
from tuner.analysis.rungs import rungs
from tuner.analysis.saved import saved
from tuner.analysis.throughput import throughput
from tuner.analysis.timeline import timeline
from tuner.base.outcomes import SweepState
from tuner.report.charts import Tables
from tuner.sweep import Sweep

_DECIMALS = 6


def report_data(tables: Tables, state: SweepState) -> dict[str, Any]:
    """What `tuner report --format json` writes. What a sweep has no numbers for is null, or an empty list."""
    sweep, known = tables.sweep, tables.weighed
    return {
        "sweep": sweep.name,
        "state": state,
        "metric": sweep.metric,
        "mode": sweep.mode,
        "trials": len(sweep.trials),
        "epochs": sweep.num_epochs,
        "best": _best(sweep),
        "importance": importance_data(known),
        "importance_reason": known.reason if isinstance(known, Unknown) else None,
        "importance_trials": known.num_trials,
        "pairs": _pairs(known),
        "advice": advice_data(tables.advice),
        "best_so_far": [{"epochs": trained, "value": value} for trained, value in best_so_far(sweep)],
        "outcomes": [
            {
                "outcome": it.outcome,
                "trials": it.trials,
                "training_s": round(it.training_s, 3),
                "reasons": [{"reason": reason, "trials": number} for reason, number in it.reasons],
            }
            for it in endings(sweep)
        ],
        "time": _time(sweep),
        "rungs": [
            {
                "epoch": it.epoch,
                "trials": len(it.values),
                "stopped": sorted(it.stopped),
                "best": (max if sweep.mode == "max" else min)(it.values.values()),
            }
            for it in rungs(sweep)
        ],
        "saved": _saved(sweep),
        "throughput": _throughput(sweep),
    }


def _best(sweep: Sweep) -> dict[str, Any] | None:
    trial = sweep.best
    if trial is None:
        return None
    test = {name: value for name, value in trial.test_metrics.items() if value is not None and math.isfinite(value)}
    return {
        "trial": trial.number,
        "value": trial.best_value,
        "epoch": trial.best_epoch,
        "params": trial.params,
        "test": test,
    }


def _pairs(known: Importance | Unknown) -> list[dict[str, Any]]:
    pairs = known.pairs if isinstance(known, Importance) else {}
    return [{"parameters": list(names), **asdict(share)} for names, share in pairs.items()]


def _time(sweep: Sweep) -> dict[str, Any] | None:
    found = timeline(sweep)
    if found is None:
        return None
    parts = {"critical_path": found.critical, "slots": found.slots}
    return {name: {key: round(value, _DECIMALS) for key, value in asdict(it).items()} for name, it in parts.items()}


def _saved(sweep: Sweep) -> dict[str, Any] | None:
    found = saved(sweep)
    if found is None:
        return None
    shares = {"epochs_share": found.epochs_share, "seconds_share": found.seconds_share}
    return {**asdict(found), **{name: round(value, _DECIMALS) for name, value in shares.items()}}


def _throughput(sweep: Sweep) -> dict[str, Any] | None:
    found = throughput(sweep)
    if found is None:
        return None
    sizes = [size for size, _ in found.trials.values()]
    return {
        "unit": found.unit,
        "batch_sizes": [
            {"batch_size": size, "per_s": round(speed, 3), "trials": sizes.count(size)}
            for size, speed in found.medians().items()
        ],
    }
