"""An asynchronous cluster in virtual time: any policy with ask and tell, over a table of learning curves.

Each free worker asks for a trial and trains it epoch by epoch until the policy stops it. Time is virtual; the order of
events, and so every decision, is that of a real cluster with these durations.
"""

from __future__ import annotations

import heapq
import math
import time
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tests.benchmarks.search.tables import Array, Table
from tuner.spec.space import Params


class SearchPolicy(Protocol):
    """What the simulator drives. Values are losses; NaN where a trial diverged."""

    def ask(self) -> tuple[int, Params] | None:
        """A new trial, or one to go on with; None: nothing now."""

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        """Takes the loss after an epoch; whether the trial goes on."""


@dataclass(frozen=True)
class Cluster:
    """What the workers are like; durations are in units of a mean epoch."""

    workers: int = 8
    spread: float = 0.25
    """Standard deviation of the logarithm of a trial's duration of an epoch."""
    straggling: float = 0.02
    """Share of epochs that take five times as long."""
    losses: float = 0.001
    """Probability, each epoch, that a worker dies: the epoch is trained again on another."""
    latency: float = 0.0
    """One decision maker: virtual time a second of real deciding costs, in epochs; 0 charges none."""


@dataclass
class Run:
    """What a search did."""

    losses: list[float] = field(default_factory=list)
    """After each epoch trained: the true loss, at that epoch, of what was the best of all told until then."""
    finals: list[float] = field(default_factory=list)
    """After each epoch trained: the loss that this best configuration would reach after a whole training."""
    num_trials: int = 0
    nan_epochs: int = 0
    params: list[Params] = field(default_factory=list)
    first_full_at: float = math.inf
    """Virtual time of the first whole training's end."""
    ended_at: float = 0.0
    busy: float = 0.0
    """Worker time spent training."""
    deciding_s: float = 0.0


class _Worker:
    __slots__ = ("curve", "epoch", "pace", "trial")

    def __init__(self) -> None:
        self.trial = -1
        self.epoch = 0
        self.curve: Array = np.empty(0)
        self.pace = 1.0


def simulate(policy: SearchPolicy, table: Table, epochs: int, seed: int, cluster: Cluster | None = None) -> Run:
    """Runs a search until so many epochs have been trained over all workers, or nothing is left to do."""
    cluster = cluster or Cluster()
    rng = np.random.default_rng([seed, 7])
    run, workers = Run(), [_Worker() for _ in range(cluster.workers)]
    known: dict[int, tuple[Array, float, int]] = {}  # trial -> (curve, pace, epochs trained)
    best_told = best = final = math.inf
    queue: list[tuple[float, int, int]] = [(0.0, index, index) for index in range(cluster.workers)]
    sequence, decided_until, idle = cluster.workers, 0.0, []
    sigma = table.noise * (table.median - table.best)
    while queue and len(run.losses) < epochs:
        now, _, index = heapq.heappop(queue)
        worker = workers[index]
        started_s = time.perf_counter() if cluster.latency else 0.0
        goes_on = False
        if worker.trial >= 0:
            loss = float(worker.curve[worker.epoch - 1])
            told = loss + sigma * rng.standard_normal() if sigma else loss
            goes_on = policy.tell(worker.trial, worker.epoch, told) and worker.epoch < table.epochs
            known[worker.trial] = (worker.curve, worker.pace, worker.epoch)
            run.nan_epochs += not math.isfinite(loss)
            if math.isfinite(told) and told < best_told:
                best_told, best, final = told, loss, float(worker.curve[-1])
            if worker.epoch == table.epochs:
                run.first_full_at = min(run.first_full_at, now)
            run.losses.append(best)
            run.finals.append(final)
        if not goes_on:
            asked = policy.ask()
            worker.trial = -1
            if asked is not None:
                worker.trial, params = asked
                if worker.trial not in known:
                    known[worker.trial] = (
                        table.curve(params),
                        float(np.exp(cluster.spread * rng.standard_normal())),
                        0,
                    )
                    run.num_trials += 1
                    run.params.append(params)
                worker.curve, worker.pace, worker.epoch = known[worker.trial]
        start = now
        if cluster.latency:
            decision_s = time.perf_counter() - started_s
            run.deciding_s += decision_s
            start = decided_until = max(now, decided_until) + decision_s * cluster.latency
        if worker.trial < 0:
            idle.append(index)
            continue
        worker.epoch += 1
        duration = worker.pace * (5.0 if rng.random() < cluster.straggling else 1.0)
        lost = duration * rng.random() if rng.random() < cluster.losses else 0.0
        run.busy += duration
        run.ended_at = max(run.ended_at, start + lost + duration)
        sequence += 1
        heapq.heappush(queue, (start + lost + duration, sequence, index))
        while idle:  # something was decided: whoever had nothing to do asks again
            sequence += 1
            heapq.heappush(queue, (start, sequence, idle.pop()))
    return run


def at_budget(values: list[float], epochs: int) -> float:
    """The value after so many epochs; of a search that ended before, its last one."""
    return values[min(epochs, len(values)) - 1]
