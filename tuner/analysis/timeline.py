"""Where the time of a sweep went: start, training, waiting between trials, and the end."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tuner.analysis.curves import Turn, at_work_before, turns
from tuner.sweep import DriverSpan, Sweep


@dataclass(frozen=True)
class Parts:
    """Seconds by what they were spent on."""

    start_s: float = 0.0
    """From a driver's start to the first epoch."""
    training_s: float = 0.0
    """Training and validation."""
    idle_s: float = 0.0
    """Between epochs and trials: building, tracing, writing, deciding, waiting."""
    end_s: float = 0.0
    """From the last epoch to the driver's end."""

    @property
    def total_s(self) -> float:
        return self.start_s + self.training_s + self.idle_s + self.end_s

    def __add__(self, other: Parts) -> Parts:
        return Parts(*(getattr(self, it.name) + getattr(other, it.name) for it in fields(self)))


@dataclass(frozen=True)
class Timeline:
    """The time of the slot that trained last, which the end of the sweep waited for; and that of all slots."""

    critical: Parts
    """Seconds with a driver running; their total is the sweep's `wall_s`."""
    slots: Parts
    """Slot-seconds; their total is what the sweep paid for."""


def timeline(sweep: Sweep) -> Timeline | None:
    """Where the time went, over all drivers; None before the first epoch."""
    begins = at_work_before(sweep)
    found = turns(sweep)
    critical = slots = Parts()
    for number, span in enumerate(sweep.spans):
        mine = [turn for turn in found if begins[number] <= turn.start_s < begins[number + 1]]
        critical += _critical(span, mine, begins[number])
        slots += _slots(span)
    return Timeline(critical, slots) if found else None


def _critical(span: DriverSpan, mine: list[Turn], begins_s: float) -> Parts:
    """The time of one driver along the lane that trained last."""
    wall_s = span.last_at - span.started_at
    if not mine:
        return Parts(start_s=wall_s)
    lane = max(mine, key=lambda turn: turn.end_s).lane
    path = [turn for turn in mine if turn.lane == lane]
    start_s = max(0.0, path[0].start_s - begins_s)
    end_s = max(0.0, begins_s + wall_s - path[-1].end_s)
    between_s = max(0.0, wall_s - start_s - end_s)
    training_s = min(between_s, sum(end - start for turn in path for start, end in turn.stretches))
    return Parts(start_s, training_s, between_s - training_s, end_s)


def _slots(span: DriverSpan) -> Parts:
    """The slot-seconds of one driver."""
    all_s = span.slot_s(span.started_at, span.last_at)
    if span.first_epoch_at is None or span.last_epoch_at is None:
        return Parts(start_s=all_s)
    start_s = span.slot_s(span.started_at, span.first_epoch_at)
    end_s = span.slot_s(span.last_epoch_at, span.last_at)
    between_s = max(0.0, all_s - start_s - end_s)
    training_s = min(between_s, span.training_s)
    return Parts(start_s, training_s, between_s - training_s, end_s)
