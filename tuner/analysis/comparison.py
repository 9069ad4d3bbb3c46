"""Compares sweeps with the same objective: at equal budgets, by epochs to equal values, and by their specs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.analysis.curves import best_after, best_over_time, best_so_far
from tuner.analysis.difference import pair_differences
from tuner.analysis.importance_cache import weighed
from tuner.analysis.importance_values import importance_data
from tuner.analysis.noise import deviation
from tuner.base.errors import UsageError
from tuner.sweep import Sweep, is_better

SHARES = (0.25, 0.5, 1.0)
"""Budgets to compare at, as shares of the epochs of the shortest sweep."""
_OF_NO_INTEREST = ("name", "tracking", "storage")


def compare(sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """What `tuner compare --json` prints.

    For each sweep, `sweeps` holds its trials, epochs, seconds and best trial, its best value `after` each number in
    `epochs` (epochs of all its trials), and the epochs that it took `to_reach` the worst of the sweeps' best values.
    Its `curve` has the improvements over `epochs` and over `seconds`, its `noise` the standard deviation between
    trainings of one configuration, and its `importance` what `tuner show --json` has; null where that is not known.
    `pairs` says of every two sweeps whether their bests differ by more than chance (see `tuner.analysis.difference`).
    `differences` maps each path in which their specs differ to a list of values, null for a sweep that has none.

    Raises:
        UsageError: their objectives differ.
    """
    first = sweeps[0]
    for other in sweeps[1:]:
        if (other.metric, other.mode) != (first.metric, first.mode):
            theirs = f"{first.name} has {first.mode} {first.metric}, {other.name} has {other.mode} {other.metric}"
            raise UsageError(f"compare: sweeps must have the same objective, but {theirs}")
    curves = [best_so_far(sweep) for sweep in sweeps]
    shortest = min(sweep.num_epochs for sweep in sweeps)
    epochs = sorted({max(1, round(share * shortest)) for share in SHARES}) if shortest else []
    ends = [curve[-1][1] for curve in curves if curve]
    bar = (min if first.mode == "max" else max)(ends) if len(ends) == len(sweeps) else None
    return {
        "metric": first.metric,
        "mode": first.mode,
        "epochs": epochs,
        "sweeps": [
            {
                "sweep": sweep.name,
                "trials": len(sweep.trials),
                "epochs": sweep.num_epochs,
                "wall_s": round(sweep.wall_s, 3),
                "training_s": round(sweep.training_s, 3),
                "best": None
                if sweep.best is None
                else {"trial": sweep.best.number, "value": sweep.best.best_value, "params": sweep.best.params},
                "after": [best_after(curve, budget) for budget in epochs],
                "to_reach": None if bar is None else _first_as_good(curve, bar, sweep),
                "curve": {"epochs": _listed(curve), "seconds": _listed(best_over_time(sweep))},
                "noise": deviation(sweep) or None,
                "importance": importance_data(weighed(sweep)),
            }
            for sweep, curve in zip(sweeps, curves, strict=True)
        ],
        "bar": bar,
        "pairs": [pair.data() for pair in pair_differences(sweeps)],
        "differences": differences([sweep.spec for sweep in sweeps]),
    }


def differences(specs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The paths in which specs differ, each with the specs' values; names and places of the sweeps are left out."""
    flat = [dict(_flat({key: value for key, value in spec.items() if key not in _OF_NO_INTEREST})) for spec in specs]
    paths = dict.fromkeys(path for spec in flat for path in spec)
    found = {path: [spec.get(path) for spec in flat] for path in paths}
    return {
        path: values for path, values in found.items() if len(set(map(repr, values))) > 1
    }  # repr distinguishes true from 1


def _listed(steps: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(place, 3), value] for place, value in steps]


def _first_as_good(curve: Sequence[tuple[int, float]], bar: float, sweep: Sweep) -> int | None:
    return next((trained for trained, value in curve if not is_better(bar, value, sweep.mode)), None)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
