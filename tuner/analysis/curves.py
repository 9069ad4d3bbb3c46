"""The numbers behind the figures: the best so far, learning curves, parameters, and when trials trained."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import attrgetter
from typing import Any

from trainables.counts import SAMPLES, STEPS
from tuner.sweep import Sweep, Trial, is_better
from tuner.sweep.events import EpochReported

JOINED_WITHIN_S = 1.0
"""Epochs of a trial with at most this gap between them are drawn as one bar."""
LIST_VALUES_MAX = 12
"""Of a list's values, the first ones are drawn."""


@dataclass
class Turn:
    """A trial's time under one driver: its lane in the drawing, and when it trained, in seconds of driver time."""

    trial: Trial
    start_s: float
    end_s: float
    stretches: list[tuple[float, float]]
    lane: int = 0


def best_so_far(sweep: Sweep) -> list[tuple[int, float]]:
    """(epochs of all trials, best objective value by then) for each improvement, and for the last epoch."""
    steps = [(trained, value) for trained, _, value in improvements(sweep)]
    if steps and steps[-1][0] < sweep.num_epochs:
        steps.append((sweep.num_epochs, steps[-1][1]))
    return steps


def improvements(sweep: Sweep) -> list[tuple[int, int, float]]:
    """(epochs of all trials, trial, its value) for each new best value, in the order of the journal."""
    return [(trained, trial.number, sweep.value(epoch)) for trained, trial, epoch, _ in _improving(sweep)]


def _improving(sweep: Sweep) -> Iterator[tuple[int, Trial, EpochReported, int]]:
    """Each epoch with a new best value: (epochs of all trials by then, trial, epoch, the driver it was reported to)."""
    reported = sorted(
        (
            (epoch.seq, trial, epoch, driver)
            for trial in sweep.trials.values()
            for epoch, driver in _with_drivers(trial)
        ),
        key=lambda row: row[0],
    )
    best: float | None = None
    for trained, (_, trial, epoch, driver) in enumerate(reported, 1):
        value = sweep.value(epoch)
        if trial.usable and math.isfinite(value) and (best is None or is_better(value, best, sweep.mode)):
            best = value
            yield trained, trial, epoch, driver


def best_over_time(sweep: Sweep) -> list[tuple[float, float]]:
    """(seconds, best objective value by then) for each improvement, and for the last epoch.

    Seconds count from the sweep's start while a driver runs it; time without a driver is left out.
    """
    before_s = at_work_before(sweep)

    def at_s(epoch: EpochReported, driver: int) -> float:
        return before_s[driver] + sweep.spans[driver].at(epoch) - sweep.spans[driver].started_at

    steps = [(at_s(epoch, driver), sweep.value(epoch)) for _, _, epoch, driver in _improving(sweep)]
    every = (pair for trial in sweep.trials.values() for pair in _with_drivers(trial))
    last = max(every, key=lambda pair: pair[0].seq, default=None)
    if steps and last is not None and steps[-1][0] < (end_s := at_s(*last)):
        steps.append((end_s, steps[-1][1]))
    return steps


def at_work_before(sweep: Sweep) -> list[float]:
    """The seconds in which drivers ran before each driver began; then those of all."""
    return [0.0, *accumulate(span.last_at - span.started_at for span in sweep.spans)]


def _with_drivers(trial: Trial) -> Iterator[tuple[EpochReported, int]]:
    """Each epoch of a trial, with the number of the driver that it was reported to."""
    for (first, driver), (stop, _) in pairwise([*trial.drivers, (len(trial.epochs), -1)]):
        for epoch in trial.epochs[first:stop]:
            yield epoch, driver


def learning_curve(sweep: Sweep, trial: Trial, over: str = "epochs") -> list[tuple[float, float]]:
    """(epoch, objective value) of a trial, for finite values; or over its optimizer steps, or its examples."""
    places = (epoch.epoch if over == "epochs" else epoch.metrics.get(over) for epoch in trial.epochs)
    values = zip(places, map(sweep.value, trial.epochs), strict=True)
    return [(place, value) for place, value in values if place is not None and math.isfinite(value)]


def curve_axes(sweep: Sweep) -> list[str]:
    """What learning curves can be drawn over: what every trial that has trained reports."""
    last = [trial.epochs[-1].metrics for trial in sweep.trials.values() if trial.epochs]
    return ["epochs", *(name for name in (STEPS, SAMPLES) if last and all(name in metrics for metrics in last))]


def searched(sweep: Sweep) -> dict[str, dict[str, Any]]:
    """The parameters that differ between trials, with their ranges from the resolved spec; a list's values each."""
    space = sweep.spec.get("space") or {}
    ranges = {name: written for name, written in space.items() if isinstance(written, dict)}
    differing = {name: it for name, it in ranges.items() if "low" in it or len(it.get("choices", ())) > 1}
    found: dict[str, dict[str, Any]] = {}
    for name, it in differing.items():
        if "repeat" in it:
            longest = max((len(trial.params.get(name) or ()) for trial in sweep.trials.values()), default=0)  # type: ignore[arg-type]
            found |= {f"{name}[{index}]": it for index in range(min(longest, LIST_VALUES_MAX))}
        else:
            found[name] = it
    return found


def flat_params(sweep: Sweep, trial: Trial) -> dict[str, Any]:
    """A trial's parameters by the names of `searched`."""
    space, values = sweep.spec.get("space") or {}, dict[str, Any]()
    for name, value in trial.params.items():
        written = space.get(name)
        if isinstance(value, list) and isinstance(written, dict) and "repeat" in written:
            values |= {f"{name}[{index}]": item for index, item in enumerate(value)}
        else:
            values[name] = value
    return values


def turns(sweep: Sweep) -> list[Turn]:
    """When each trial trained, in as few lanes without overlap as possible; time without a driver is left out."""
    before_s = at_work_before(sweep)
    found: dict[tuple[int, int], Turn] = {}
    for trial in sweep.trials.values():
        for driver, epochs in _reports(trial):
            span = sweep.spans[driver]
            end = before_s[driver] + span.at(epochs[0]) - span.started_at
            start = end - sum(epoch.epoch_s for epoch in epochs)
            turn = found.setdefault((trial.number, driver), Turn(trial, start, end, []))
            if turn.stretches and start - turn.end_s <= JOINED_WITHIN_S:
                turn.stretches[-1] = (turn.stretches[-1][0], end)
            else:
                turn.stretches.append((start, end))
            turn.end_s = end
    ordered = sorted(found.values(), key=lambda turn: turn.start_s)
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for turn in ordered:
        while busy and busy[0][0] <= turn.start_s:
            heapq.heappush(free, heapq.heappop(busy)[1])
        turn.lane = heapq.heappop(free) if free else len(busy)
        heapq.heappush(busy, (turn.end_s, turn.lane))
    return ordered


def _reports(trial: Trial) -> Iterator[tuple[int, list[EpochReported]]]:
    """(driver, epochs that were reported together) for each report of a trial; short epochs share a report."""
    for (first, driver), (stop, _) in pairwise([*trial.drivers, (len(trial.epochs), -1)]):
        for _, together in groupby(trial.epochs[first:stop], attrgetter("at")):
            yield driver, list(together)


def shown_range(values: Iterable[float], mode: str) -> tuple[float, float] | None:
    """Limits of an axis on which the good trials can be told apart, so that a diverging trial hides no other.

    They hold the best value, and the others up to twice as far from it as the median; of all, the worst tenth
    may lie beyond.
    """
    ordered = sorted(values, reverse=mode == "max")
    if not ordered:
        return None
    best, middle = ordered[0], ordered[len(ordered) // 2]
    furthest = 2 * abs(middle - best) or math.inf
    near = [value for value in ordered[: max(1, math.ceil(0.9 * len(ordered)))] if abs(value - best) <= furthest]
    worst = near[-1]
    margin = 0.05 * abs(worst - best) or 0.05 * abs(best) or 1.0
    return min(best, worst) - margin, max(best, worst) + margin


def best_after(steps: Sequence[tuple[int, float]], epochs: int) -> float | None:
    """The best value after this many epochs of all trials; None before the first value."""
    reached = [value for trained, value in steps if trained <= epochs]
    return reached[-1] if reached else None
