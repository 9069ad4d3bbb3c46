"""The driver's memory at 2,000 trials, against 100: a real sweep of trainings that take milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from tests.benchmarks.bench.lines.slots import spec
from tests.benchmarks.bench.measuring import Figures, Goal, Options, Rounds, Row, row, values
from tests.benchmarks.bench.processes import private_mib
from tests.benchmarks.bench.sweeps import Checkout, num_ended, sweep

FEW, MANY = 100, 2_000


def sides(options: Options) -> Mapping[str, Callable[[], Figures]]:
    return {"tuner": partial(measured, options.size(FEW, 4), options.size(MANY, 16))}


def measured(few: int, many: int) -> Figures:
    with sweep(Checkout.this(), spec(units=8, examples=64, num_trials=many + 50, epochs=3)) as running:
        driver = running.command.process.pid
        memory = []
        for number in (few, many):
            running.wait_for(lambda events, number=number: num_ended(events) >= number)  # type: ignore[misc]
            memory.append(private_mib(driver))
    return {"few_mib": memory[0], "many_mib": memory[1], "growth": memory[1] / memory[0]}


def rows(rounds: Rounds, options: Options) -> list[Row]:
    few, many = options.size(FEW, 4), options.size(MANY, 16)
    line = "driver memory"
    return [
        row(line, f"at {many:,} trials / at {few}", values(rounds, "tuner", "growth"), "", Goal("<=", 1.2)),
        row(line, f"private memory at {few} trials", values(rounds, "tuner", "few_mib"), "MiB"),
        row(line, f"private memory at {many:,} trials", values(rounds, "tuner", "many_mib"), "MiB"),
    ]
