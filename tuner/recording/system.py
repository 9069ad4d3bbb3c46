"""What nodes did while trials trained, as the rows of MLflow's system metrics."""

from __future__ import annotations

from collections.abc import Iterator

from tuner.sweep import events as ev

PREFIX = "system/"
"""MLflow's pages show metrics of such keys apart, and no name of a user's becomes one."""

SystemRow = tuple[str, float, int, int]
"""Key, value, time in Unix ms, step."""


def system_rows(event: ev.SystemSampled, num_before: int) -> Iterator[SystemRow]:
    """The rows of an event; steps count a trial's samples from 0, as MLflow's own do.

    Args:
        num_before: the trial's samples before this event.
    """
    for step, sample in enumerate(event.samples, num_before):
        at_ms = int((event.at - sample.get("ago_s", 0.0)) * 1000)
        yield from ((PREFIX + name, value, at_ms, step) for name, value in sample.items() if name != "ago_s")
