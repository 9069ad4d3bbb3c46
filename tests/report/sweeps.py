"""Sweeps for the tests of reports: pretended trainings, names that hurt, and what a forest would find."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.analysis.importance_values import Importance, Marginal, Share, Surface
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

NASTY = "</script><script>alert(1)</script><b>$x_1$ & 'co' \"q\" [0].y 🙂</b>"


def swept(folder: Path, curve: Any = accuracy, **changes: Any) -> Sweep:
    """A sweep of pretended trainings."""
    journal = new_sweep(folder, make_spec(**changes))
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, curve).run()
    coordinator.close()
    journal.close()
    return fold(read_events(journal.folder))


def made(trials: int, epochs: int, space: dict[str, Any] | None = None, metric: str = "val_accuracy") -> Sweep:
    """A sweep of trials that all train to their end, made without a policy; any names go."""
    rng = np.random.default_rng(0)
    space = space or {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "batch_size": {"choices": [32, 64, 128]},
        "units": {"low": 16, "high": 512, "scale": "log"},
    }
    spec = {
        "name": "made", "trainable": "digits", "objective": {"metric": metric, "mode": "max"}, "num_trials": trials,
        "epochs": {"min": 1, "max": epochs}, "space": space, "search": {"algorithm": "random", "seed": 0},
        "early_stopping": {"algorithm": "asha", "reduction_factor": 3},
    }  # fmt: skip
    told: list[ev.AnyEvent] = [
        ev.SweepStarted(at=100.0, spec=spec, versions={"python": "3"}, seed=0, sweep_id="0" * 32),
        ev.SlotsChanged(at=100.0, slots=2),
    ]
    at = [100.0, 100.0]
    for trial in range(trials):
        params = {name: _drawn(written, rng) for name, written in space.items()} | {"epochs": epochs}
        told.append(ev.TrialSuggested(at=max(at), seq=len(told), trial=trial, params=params, origin="random"))
        for epoch in range(1, epochs + 1):
            at[trial % 2] += 1.0
            value = 0.9 - 0.3 * math.exp(-epoch / 5) + 0.05 * float(rng.random())
            told.append(_epoch(trial, epoch, {metric: value, "loss": 1 - value}, len(told), max(at)))
        told.append(ev.TrialEnded(at=max(at), seq=len(told), trial=trial, outcome="completed", reason="all epochs"))
    return fold(told)


def _epoch(trial: int, epoch: int, metrics: Any, seq: int, at: float) -> ev.EpochReported:
    metrics |= {"steps": 10.0 * epoch, "samples": 300.0 * epoch}
    return ev.EpochReported(
        at=at, seq=seq, trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=0.9, decision="continue",
        reason="",
    )  # fmt: skip


def _drawn(written: dict[str, Any], rng: Any) -> Any:
    if "choices" in written:
        return written["choices"][int(rng.integers(len(written["choices"])))]
    low, high = written["low"], written["high"]
    share = float(rng.random())
    return low * (high / low) ** share if written.get("scale") == "log" else low + share * (high - low)


def found(sweep: Sweep) -> Importance:
    """Importance of the first two parameters, as a forest might find it."""
    first, second = list(sweep.spec["space"])[:2]
    values = {name: _grid(sweep.spec["space"][name]) for name in (first, second)}
    marginals = {
        name: Marginal(grid, [0.8] * len(grid), [0.7] * len(grid), [0.9] * len(grid)) for name, grid in values.items()
    }
    cells = [[0.8 + 0.01 * (i + j) for j in range(len(values[second]))] for i in range(len(values[first]))]
    return Importance(
        parameters={first: Share(0.7, 0.6, 0.8), second: Share(0.3, 0.2, 0.4)},
        pairs={(first, second): Share(0.1, 0.05, 0.2)},
        marginals=marginals,
        surfaces={(first, second): Surface(values[first], values[second], cells, cells, cells)},
        num_trials=len(sweep.trials),
        quality=0.8,
    )


def _grid(written: dict[str, Any]) -> list[Any]:
    if "choices" in written:
        return list(written["choices"])
    space = np.geomspace if written.get("scale") == "log" else np.linspace
    return [float(value) for value in space(written["low"], written["high"], 9)]
