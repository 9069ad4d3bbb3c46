"""A worker's private memory with MNIST on the device: after 20 trials, and after 200.

What is private is what the kernel counts as such: pages that a worker shares with the process that it was forked from
count for neither. `--against CHECKOUT` measures another version beside this one.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.benchmarks.bench.lines.task import mnist, spec
from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, ratios, row, values
from tests.benchmarks.bench.processes import private_mib
from tests.benchmarks.bench.sweeps import Checkout, num_ended, of_kind, sweep

FEW, MANY = 20, 200


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    mnist()
    found = {"this": partial(measured, Checkout.this(), options)}
    if options.against is not None:
        found["before"] = partial(measured, Checkout.at(options.against), options)
    return found


def measured(checkout: Checkout, options: Options) -> Figures:
    few, many = options.size(FEW, 4), options.size(MANY, 8)
    asked: dict[str, Any] = spec(many + 8)
    asked |= {"epochs": {"max": 1}, "search": {"algorithm": "random"}, "early_stopping": {"algorithm": "none"}}
    asked["space"] = {**asked["space"], "units": {"choices": [64, 128, 256]}}
    with sweep(checkout, asked) as running:
        memory = []
        for number in (few, many):
            running.wait_for(lambda events, number=number: num_ended(events) >= number)  # type: ignore[misc]
            pids = {event["pid"] for event in of_kind(running.events, "trial_started")}
            memory.append(statistics.median(filter(None, map(private_mib, pids))))
    return {"few_mib": memory[0], "many_mib": memory[1], "growth": memory[1] / memory[0]}


def rows(rounds: Rounds, options: Options) -> list[Row]:
    few, many = options.size(FEW, 4), options.size(MANY, 8)
    line, what = "worker memory", f"private memory after {few} trials"
    goal = Goal("<=", 2 / 3)
    if options.against is None:
        found = [Row(line, f"{what} / before", None, "", goal, "compare with another version: --against CHECKOUT")]
    else:
        found = [row(line, f"{what} / before", ratios(rounds, "few_mib", "this", "before"), "", goal)]
    found.append(row(line, f"after {many} trials / after {few}", values(rounds, "this", "growth"), "", Goal("<=", 1.1)))
    return found + [row(line, f"{what}, {side}", values(rounds, side, "few_mib"), "MiB") for side in rounds[0]]
