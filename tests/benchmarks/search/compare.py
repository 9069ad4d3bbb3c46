"""Compares search policies over the reporting families: `python -m tests.benchmarks.search.compare [--help]`.

For each budget (a share of 40 whole trainings' worth of epochs, 8 workers): the regret of the best value seen (0: best
known, 1: the median configuration), mean ranks over tables and seeds, the share of paired wins over stock Ray, the
epochs until a search is within 1% of the best known, and the share of epochs spent on NaN. `--figure FILE` draws regret
over epochs. Families in TUNED_ON were looked at while the policy was built; those in REPORTED_ON were not.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np  # after the number of threads

from tests.benchmarks.search.baselines import BOUNDS, POLICIES, Foreseeing
from tests.benchmarks.search.families import EPOCHS, REPORTED_ON, TUNED_ON
from tests.benchmarks.search.published import REPORTED_ON as PUBLISHED
from tests.benchmarks.search.published import SHORT_NAMES, published
from tests.benchmarks.search.simulator import Cluster, at_budget, simulate
from tests.benchmarks.search.surrogate import landscape
from tests.benchmarks.search.tables import CURVES, Array, Table, family

BUDGET = 40 * EPOCHS
SHARES = (0.1, 0.25, 0.5, 1.0)
STOCK = "stock Ray: HyperOptSearch + ASHA"
NOISE, DIVERGING = 0.05, 0.1


@dataclass(frozen=True)
class Job:
    policy: str
    table: str
    seed: int
    workers: int


@cache
def table_named(name: str) -> Table:
    """NAME a published table, or a family's rows alone, NAME~ its landscape, NAME:loss judged by the loss; +noise or
    +nan is a variant of any."""
    base, _, variant = name.partition("+")
    is_landscape = base.endswith("~")
    base, _, judged_by = base.rstrip("~").partition(":")
    table = published(base) if base in SHORT_NAMES else (landscape if is_landscape else family)(base, judged_by)
    if variant == "noise":
        return table.with_noise(NOISE)
    return table.with_divergence(DIVERGING) if variant == "nan" else table


def run(job: Job) -> tuple[Array, int, float]:
    """Regret after each epoch, the epoch at which it fell below 1% (the budget if never), the share of NaN epochs."""
    table = table_named(job.table)
    policy = {**POLICIES, **BOUNDS}[job.policy](table.space, table.epochs, job.seed)
    if isinstance(policy, Foreseeing):
        policy.table = table
    done = simulate(policy, table, BUDGET, job.seed, Cluster(workers=job.workers))
    regrets = np.array([table.regret(at_budget(done.losses, epoch)) for epoch in range(1, BUDGET + 1)])
    close = np.flatnonzero(regrets <= 0.01)
    return regrets, int(close[0]) + 1 if len(close) else BUDGET, done.nan_epochs / len(done.losses)


def ranks(values: Array) -> Array:
    """(policies, …) to mean places from 1, ties shared."""
    smaller = (values[None] < values[:, None]).sum(1)
    equal = (values[None] == values[:, None]).sum(1) - 1
    places: Array = (1 + smaller + equal / 2).reshape(len(values), -1).mean(1)
    return places


def wins(values: Array, over: Array) -> float:
    """The share of pairs won, ties half."""
    return float(((values < over) + 0.5 * (values == over)).mean())


def reached(line: Array, level: float) -> str:
    """The share of the budget after which a mean regret is no higher than this."""
    epochs = np.flatnonzero(line <= level)
    return f"{(int(epochs[0]) + 1) / BUDGET:.0%}" if len(epochs) else "never"


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    names, tables = options.policies or list(POLICIES), options.tables or default_tables()
    jobs = [Job(p, t, s, options.workers) for p in names for t in tables for s in range(options.seeds)]
    with ProcessPoolExecutor(options.processes) as pool:
        done = list(pool.map(run, jobs, chunksize=4))
    shape = (len(names), len(tables), options.seeds)
    regrets = np.array([regret for regret, _, _ in done]).reshape(*shape, BUDGET)
    close, nan_share = (np.array([row[i] for row in done], float).reshape(shape) for i in (1, 2))
    at = [regrets[..., int(BUDGET * share) - 1] for share in SHARES]
    print(f"{options.seeds} seeds, {options.workers} workers, {BUDGET} epochs, tables: {', '.join(tables)}\n")
    print("| policy | " + " | ".join(f"{s:.0%}" for s in SHARES) + " | mean rank | wins | epochs to 1% | NaN |")
    print("|---|" + "---|" * (len(SHARES) + 4))
    places = ranks(at[-1])
    stock = names.index(STOCK) if STOCK in names else None
    for i, name in enumerate(names):
        won = "" if stock in (None, i) else f"{wins(at[-1][i], at[-1][stock]):.2f}"
        means = " | ".join(f"{value[i].mean():.3f}" for value in at)
        print(f"| {name} | {means} | {places[i]:.2f} | {won} | {close[i].mean():.0f} | {nan_share[i].mean():.1%} |")
    for end in (STOCK, "random"):
        if end in names:
            level = at[-1][names.index(end)].mean()
            shares = (f"{name} {reached(regrets[i].mean((0, 1)), level)}" for i, name in enumerate(names))
            print(f"\nThe end of {end}, {level:.4f} on average, is reached at: " + ", ".join(shares))
    print("\nMean rank, and regret, at the whole budget by table:")
    for t, table in enumerate(tables):
        by_table = ranks(at[-1][:, t])
        order = np.argsort(by_table)
        print(f"  {table}: " + ", ".join(f"{names[i]} {by_table[i]:.2f} ({at[-1][i, t].mean():.3f})" for i in order))
    if options.figure:
        draw(names, regrets, options.figure)


def default_tables() -> list[str]:
    """Each reporting family's rows, its landscape where one is stored, and the published tables kept for reporting."""
    found = [name for name in REPORTED_ON if (CURVES / f"{name}.npz").exists()]
    landscapes = [f"{name}~" for name in found if (CURVES / f"{name}.surrogate.npz").exists()]
    return [*found, *landscapes, *PUBLISHED]


def draw(names: Sequence[str], regrets: Array, path: Path) -> None:
    """Mean regret over epochs, one line a policy, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for i, name in enumerate(names):
        line = regrets[i].mean((0, 1))
        finite = np.isfinite(line)
        axes.plot(np.arange(1, BUDGET + 1)[finite], line[finite], label=name, linewidth=2.5 if name == "tuner" else 1.2)
    axes.set(
        xscale="log", yscale="log", xlim=(BUDGET / 20, BUDGET), xlabel="epochs trained", ylabel="regret", ylim=(0.02, 1)
    )
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)


def _options(arguments: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.search.compare")
    parser.add_argument("--policies", nargs="*", choices=[*POLICIES, *BOUNDS], help=f"default: {', '.join(POLICIES)}")
    parser.add_argument(
        "--tables", nargs="*", help=f"default: {', '.join(default_tables())}; families tuned on: {', '.join(TUNED_ON)}"
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--figure", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
