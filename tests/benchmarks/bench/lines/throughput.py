"""Results a second when training takes no time: 2,000 trials against Ray Tune as it comes, and 10,000.

Each side is one of `tests.benchmarks.tune_throughput`, which says what it does.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial

from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, ratios, row, values
from tests.benchmarks.bench.processes import run
from tests.benchmarks.bench.sweeps import ROOT

FEW, MANY = 2_000, 10_000


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    few, many = options.size(FEW, 40), options.size(MANY, 80)
    return {
        "tuner": partial(rate, "tuner", few),
        "stock": partial(rate, "stock", few),
        "tuner, many": partial(rate, "tuner", many),
    }


def rate(side: str, num_trials: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "tests.benchmarks.tune_throughput", "--only", side]
        text, _ = run([*command, "--trials", str(num_trials), "--folder", folder], ROOT)
    figures: Figures = json.loads(text.splitlines()[-1])
    return {**figures, "rate": figures["epochs"] / figures["seconds"]}


def rows(rounds: Rounds, options: Options) -> list[Row]:
    few, many = options.size(FEW, 40), options.size(MANY, 80)
    line, times = "results a second", ratios(rounds, "rate", "tuner", "stock")
    flat = ratios(rounds, "rate", "tuner, many", "tuner")
    return [
        row(line, f"Tuner / Ray Tune, {few:,} trials", times, "times", Goal(">=", 12)),
        row(line, f"Tuner, {many:,} trials / {few:,}", flat, "", Goal(">=", 0.9)),
        row(line, f"Tuner, {few:,} trials", values(rounds, "tuner", "rate"), "/s"),
        row(line, f"Ray Tune, {few:,} trials", values(rounds, "stock", "rate"), "/s"),
        row(line, f"Tuner, {many:,} trials", values(rounds, "tuner, many", "rate"), "/s"),
    ]
