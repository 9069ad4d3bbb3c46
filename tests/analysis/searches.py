"""Sweeps without training: configurations drawn from a space, with the values of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tuner.spec.space import Params, Space
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

UNITS = {f"x{index}": {"low": 0.0, "high": 1.0} for index in range(1, 5)}
"""A space of four parameters from 0 to 1."""

MNIST: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64, 128, 256]},
    "schedule": {"choices": ["constant", "exponential", "cosine"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
    "dropout": {"low": 0.0, "high": 0.5},
    "units": {"low": 32, "high": 512, "scale": "log"},
    "optimizer": "adam",
}


def mnist_error(params: Params) -> float:
    """An error that the learning rate decides, then the number of units."""
    distance = np.log10(params["learning_rate"]) + 2.5  # type: ignore[arg-type]
    few_units = 1 - np.log2(params["units"] / 32) / 4  # type: ignore[operator]
    return float(0.02 + 0.05 * distance**2 + 0.03 * few_units + 0.005 * (params["batch_size"] == 256))


def searched(
    space: dict[str, Any],
    value: Callable[[Params], float | None],
    num: int = 64,
    *,
    seed: int = 0,
    noise: float = 0.0,
    mode: str = "min",
    unit: float = 1.0,
) -> Sweep:
    """A sweep of `num` independent draws, each trained for one epoch.

    Args:
        value: the objective of a configuration; None for one that diverges.
        noise: the standard deviation of what is added to it.
        unit: the objective is multiplied by this.
    """
    spec = {
        "name": "s",
        "objective": {"metric": "score", "mode": mode},
        "num_trials": num,
        "epochs": {"min": 1, "max": 1},
        "space": space,
    }
    parsed, rng = Space.model_validate(space), np.random.default_rng(seed)
    events: list[ev.AnyEvent] = [ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id=f"id-{seed}-{num}")]
    for number in range(num):
        params = parsed.sample(rng)
        found, deviation = value(params), noise * rng.standard_normal()
        score = None if found is None else unit * (found + float(deviation))
        events += [
            ev.TrialSuggested(trial=number, params={**params, "epochs": 1}, origin="random"),
            ev.EpochReported(
                trial=number, attempt=1, epoch=1, metrics={"score": score}, epoch_s=1.0, decision="stop", reason=""
            ),
            ev.TrialEnded(trial=number, outcome="diverged" if score is None else "completed", reason=""),
        ]
    return fold(events)
