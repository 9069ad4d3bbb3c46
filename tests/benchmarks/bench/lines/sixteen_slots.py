"""16 slots on one node (pretended CPUs): processor seconds of all processes before the first epoch.

The slots are fractions of this machine's cores. `--against CHECKOUT` measures another version beside this one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tests.benchmarks.bench.lines.first_epoch import SPEC
from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, ratios, row, values
from tests.benchmarks.bench.processes import private_mib
from tests.benchmarks.bench.sweeps import Checkout, Event, num_epochs, of_kind, sweep

SLOTS = 16


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    slots = options.size(SLOTS, 4)
    found = {"this": partial(started, Checkout.this(), slots)}
    if options.against is not None:
        found["before"] = partial(started, Checkout.at(options.against), slots)
    return found


def spec(slots: int) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    trials = {"num_trials": 2 * slots, "epochs": {"min": 1, "max": 3}}
    return {**SPEC, **trials, "resources": {"cpus_per_trial": cores / slots}}


def started(checkout: Checkout, slots: int) -> Figures:
    with sweep(checkout, spec(slots)) as running:
        command = running.command
        running.wait_for(lambda events: num_epochs(events) > 0, command.cpu_s)
        first_cpu_s, first_s = command.cpu_s(), running.events[-1]["at"] - command.started_at
        running.wait_for(partial(all_trained, slots=slots), command.cpu_s)
        all_cpu_s = command.cpu_s()
        memory = sum(map(private_mib, command.pids()))
    return {"first_cpu_s": first_cpu_s, "first_s": first_s, "all_cpu_s": all_cpu_s, "all_private_mib": memory}


def all_trained(events: list[Event], slots: int) -> bool:
    """Whether each slot has trained an epoch: as many processes as slots have reported one."""
    process = {(event["trial"], event["attempt"]): event["pid"] for event in of_kind(events, "trial_started")}
    trained = {process.get((event["trial"], event["attempt"])) for event in of_kind(events, "epoch_reported")}
    return len(trained) >= slots or bool(of_kind(events, "sweep_ended"))


def rows(rounds: Rounds, options: Options) -> list[Row]:
    line, found = f"{options.size(SLOTS, 4)} slots", []
    if options.against is None:
        note = "compare with another version: --against CHECKOUT"
        found.append(Row(line, "processor time before the first epoch / before", None, "", Goal("<=", 0.25), note))
    else:
        found += [
            row(line, f"{what} / before", ratios(rounds, figure, "this", "before"), "", Goal("<=", 0.25))
            for figure, what in WHAT.items()
        ]
    for side in rounds[0]:
        found += [row(line, f"{what}, {side}", values(rounds, side, figure), "s") for figure, what in WHAT.items()]
        memory = values(rounds, side, "all_private_mib")
        found.append(row(line, f"private memory of all processes then, {side}", memory, "MiB"))
    return found


WHAT = {
    "first_cpu_s": "processor time before the first epoch",
    "all_cpu_s": "processor time until each slot has trained an epoch",
}
