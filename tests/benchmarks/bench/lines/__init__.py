"""One module a part of the table. Each measures its sides in turn and gives its rows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from tests.benchmarks.bench.measuring import Figures, Options, Row, in_turn

Say = Callable[[str], None]
Measured = tuple[list[Row], list[dict[str, Figures]]]

NAMES = (
    "first_epoch",
    "task",
    "sixteen_slots",
    "slots",
    "worker_memory",
    "driver_memory",
    "throughput",
    "recording",
)


def measure(name: str, options: Options, say: Say) -> Measured:
    """Measures one line.

    Raises:
        NotMeasurable: something that it needs is missing here.
        CommandFailed: a side ended with an error.
    """
    line = import_module(f"{__name__}.{name}")
    measured = in_turn(line.sides(options), options.rounds, say)
    return line.rows(measured, options), measured


def about(name: str) -> str:
    return (import_module(f"{__name__}.{name}").__doc__ or "").splitlines()[0]
