"""What a decision costs as a sweep grows, and what one decision maker does to large clusters.

`python -m tests.benchmarks.search.scale`: ask and tell at 500 and 10,000 trials; `replay` of 10,000 trials of 10
epochs; and clusters of 500 to 10,000 workers in virtual time, in which each real second of deciding is charged while
the workers wait for their answer one after another. `--epoch-s` is what an epoch takes there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.benchmarks.search.baselines import Ours
from tests.benchmarks.search.simulator import Cluster, simulate
from tests.benchmarks.search.tables import Table, coordinates, make_table
from tuner.engine.replay import replay
from tuner.policy import Policy, Suggestion
from tuner.spec.search_settings import SearchSettings
from tuner.spec.space import Space
from tuner.sweep import events as ev

SPACE = Space(
    {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "batch_size": {"choices": [32, 64, 128, 256]},
        "momentum": {"low": 0.0, "high": 0.99},
        "dropout": {"low": 0.0, "high": 0.5},
        "units": {"low": 16, "high": 512, "step": 16},
    }
)
SIZES = (500, 10_000)
"""Trials after which deciding is timed."""


def settings(num_trials: int, epochs: int) -> SearchSettings:
    return SearchSettings(SPACE, "min", 1, epochs, num_trials=num_trials)


def grown(num_trials: int) -> Policy:
    """A policy that has seen so many trials, eight of them still running."""
    policy, rng = Policy(settings(10**6, 27)), np.random.default_rng(0)
    for number in range(num_trials):
        policy.adopt(Suggestion(number, SPACE.sample(rng), 27, "random"))
        if number >= 8:
            finish(policy, number - 8, rng)
    return policy


def finish(policy: Policy, trial: int, rng: np.random.Generator) -> list[float]:
    """Trains a trial until it is stopped; seconds of each tell."""
    taken, quality = [], float(rng.random())
    for epoch in range(1, 28):
        value = quality + 1 / epoch + 0.05 * float(rng.random())
        started_s = time.perf_counter()
        decision = policy.tell(trial, epoch, value)
        taken.append(time.perf_counter() - started_s)
        if decision.action == "stop":
            policy.close(trial, decision.outcome or "stopped")
            break
    return taken


@dataclass
class Timed:
    """A policy of so many trials, and the seconds that its decisions took; of asks those that the model answered."""

    policy: Policy
    rng: np.random.Generator
    asks: list[float] = field(default_factory=list)
    tells: list[float] = field(default_factory=list)

    def decide(self) -> None:
        """One ask, and the tells of what was suggested."""
        started_s = time.perf_counter()
        suggestion = self.policy.ask()
        asked_s = time.perf_counter() - started_s
        assert suggestion is not None
        self.asks += [asked_s] if suggestion.origin == "tpe" else []
        self.tells += finish(self.policy, suggestion.trial, self.rng)


def decisions(sizes: Sequence[int], rounds: int = 150) -> list[Timed]:
    """Decisions of policies of these many trials, in turn, so that a slow moment of the machine meets all."""
    timed = [Timed(grown(size), np.random.default_rng(1)) for size in sizes]
    for one in timed:
        one.policy.ask()
    for _ in range(rounds):
        for one in timed:
            one.decide()
    return timed


def replay_s(num_trials: int, epochs: int) -> float:
    """Seconds of `replay` over trials that all train so many epochs."""
    rng, events = np.random.default_rng(0), []
    for number in range(num_trials):
        events.append(ev.TrialSuggested(trial=number, params={**SPACE.sample(rng), "epochs": epochs}, origin="random"))
        for epoch in range(1, epochs + 1):
            metrics: ev.Metrics = {"val_loss": float(rng.random()) / epoch}
            event = ev.EpochReported(
                trial=number, attempt=1, epoch=epoch, metrics=metrics, epoch_s=1.0, decision="continue", reason=""
            )
            events.append(event)
    spec: Any = SimpleNamespace(
        search_settings=settings(num_trials, epochs), objective=SimpleNamespace(metric="val_loss")
    )
    started_s = time.perf_counter()
    replay(spec, events)
    return time.perf_counter() - started_s


def made_table(rows: int = 2000, best_rate: float = 0.4) -> Table:
    """Curves without a training: what is measured here is time.

    Args:
        best_rate: where the best learning rate lies in its range; all else is best at 0.4.
    """
    rng = np.random.default_rng(0)
    found = [SPACE.sample(rng) for _ in range(rows)]
    best = [best_rate if name == "learning_rate" else 0.4 for name in SPACE.searched]
    quality = ((np.array([coordinates(SPACE, params) for params in found]) - best) ** 2).sum(1)
    return make_table("made", SPACE, found, quality[:, None] + 1 / np.arange(1, 28))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.search.scale")
    parser.add_argument("--epoch-s", type=float, default=60.0)
    parser.add_argument("--epochs-a-worker", type=int, default=40)
    options = parser.parse_args()
    figures = {}
    for size, timed in zip(SIZES, decisions(SIZES), strict=True):
        ask, slowest = 1e3 * statistics.median(timed.asks), 1e3 * max(timed.asks)
        tell = 1e3 * statistics.mean(timed.tells)
        print(f"{size:>6} trials: ask {ask:.2f} ms (median; slowest {slowest:.2f}), tell {tell:.3f} ms (mean)")
        figures[size] = ask, tell
    (small_ask, small_tell), (large_ask, large_tell) = figures.values()
    print(f"ratio: ask {large_ask / small_ask:.2f}, tell {large_tell / small_tell:.2f}")
    print(f"replay of 10,000 trials x 10 epochs: {replay_s(10_000, 10):.2f} s")
    table, rate = made_table(), {}
    for workers in (1, 500, 1_000, 10_000):
        cluster = Cluster(workers, spread=0, straggling=0, losses=0, latency=1 / options.epoch_s)
        epochs = workers * options.epochs_a_worker * (5 if workers == 1 else 1)
        done = simulate(Ours(SPACE, 27, 0), table, epochs, 0, cluster)
        rate[workers] = epochs / done.ended_at
        training = done.busy / (done.ended_at * workers)
        print(
            f"{workers:>6} workers, {options.epoch_s:g} s an epoch: {training:.2%} training,"
            f" {rate[workers] / rate[1] / workers:.1%} of linear speed, {done.num_trials} trials, first whole training"
            f" after {done.first_full_at / 27:.3f} of its length, deciding {done.deciding_s:.1f} s"
        )


if __name__ == "__main__":
    main()
