"""How much of a slot's time is training, with epochs of 0.2 s and of 2 s; the gap between two trials on a slot.

The trainable is a dense network on random numbers; how many examples make an epoch of 0.2 s and of 2 s is measured
first, on two slots at once. With `--against CHECKOUT` the other version trains the same epochs.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, row, values
from tests.benchmarks.bench.sweeps import Checkout, gaps_s, median_epoch_s, num_epochs, sweep

DENSE, MOST_EXAMPLES = Path(__file__).parents[1] / "dense.py", 60_000
SLOTS = 2
BATCH_SIZE = 32
EPOCHS = {"short": (0.2, 128, 64), "long": (2.0, 1024, 24)}
"""Seconds of an epoch, units of the network, trials of the sweep."""
GOALS = {"short": 0.95, "long": 0.98}


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    checkouts = {"this": Checkout.this()}
    if options.against is not None:
        checkouts["before"] = Checkout.at(options.against)
    found = {}
    for length, (seconds, units, num_trials) in EPOCHS.items():
        examples = calibrated(seconds, units)
        asked = spec(units, examples, options.size(num_trials, 6))
        found |= {f"{length}, {name}": partial(trained, checkout, asked) for name, checkout in checkouts.items()}
    return found


def spec(units: int, examples: int, num_trials: int, epochs: int = 9) -> dict[str, Any]:
    return {
        "trainable": f"{DENSE}:Dense",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": num_trials,
        "epochs": {"min": 1, "max": epochs},
        "space": {
            "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
            "batch_size": BATCH_SIZE,
            "units": units,
            "examples": examples,
        },
        "resources": {"cpus_per_trial": len(os.sched_getaffinity(0)) / SLOTS},
    }


def calibrated(seconds: float, units: int, first: int = 8_000) -> int:
    """The examples whose epoch takes so many seconds here."""
    with sweep(
        Checkout.this(), {**spec(units, first, 2, epochs=4), "early_stopping": {"algorithm": "none"}}
    ) as running:
        pass
    examples = round(first * seconds / median_epoch_s(running.events) / BATCH_SIZE) * BATCH_SIZE
    return max(BATCH_SIZE, min(MOST_EXAMPLES, examples))


def trained(checkout: Checkout, asked: Mapping[str, Any]) -> Figures:
    with sweep(checkout, asked) as running:
        pass
    gaps = gaps_s(running.events)
    return {
        "utilization": running.shown["utilization"],
        "gap_ms": 1000 * statistics.median(gaps),
        "longest_gap_ms": 1000 * max(gaps),
        "epoch_s": median_epoch_s(running.events),
        "epochs": num_epochs(running.events),
    }


def rows(rounds: Rounds, options: Options) -> list[Row]:
    found = []
    for side in rounds[0]:
        length, _, name = side.partition(", ")
        about = f"{values(rounds, side, 'epoch_s')[0]:.2f} s epochs" + ("" if name == "this" else f", {name}")
        goal = Goal(">=", GOALS[length]) if name == "this" else None
        found.append(row("slots", f"utilization, {about}", values(rounds, side, "utilization"), "%", goal))
        goal = Goal("<=", 20) if name == "this" else None
        found.append(
            row("slots", f"median gap between two trials, {about}", values(rounds, side, "gap_ms"), "ms", goal)
        )
    return found
