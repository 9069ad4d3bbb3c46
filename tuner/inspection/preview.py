"""What a spec would do, before it does: sample configurations, slots, epochs, and what looks like a mistake."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from tuner.policy.asha import rung_epochs
from tuner.spec import SweepSpec
from tuner.spec.feasible import Feasible, infeasible_share, num_feasible
from tuner.spec.space import Choice, Constant, Float, Int, Params, completed, cut, number_text, shown, value_key

NUM_SAMPLES = 10
MAX_DRAWS = 10_000
"""Enough to see what is never sampled."""
MAX_VALUES = 100_000
"""Of all parameters together: a check takes a moment, whatever the spec."""


@dataclass(frozen=True)
class Preview:
    """`tuner check`'s findings."""

    samples: list[Params]
    num_trials: int
    epochs_full: int
    epochs_expected: int
    warnings: list[str]


def preview(spec: SweepSpec, num_train: int | None) -> Preview:
    """Looks at a valid spec; `num_train` is the size of the training set, None if unknown."""
    size = num_feasible(spec.feasible, spec.space)
    num_trials = spec.num_trials if size is None else min(spec.num_trials, size)
    draws = _draws(spec, min(max(num_trials, NUM_SAMPLES), MAX_DRAWS))
    warnings = [*_never_sampled(spec, draws[:num_trials]), *_narrow(spec), *_one_step(spec, num_train)]
    if share := infeasible_share(spec.feasible, spec.space, spec.search.seed):
        of = "configurations" if spec.search.algorithm == "grid" else "draws"
        then = "left out" if spec.search.algorithm == "grid" else "drawn again"
        warnings.append(f"feasible: {share:.0%} of the space's {of} are infeasible; they are {then}")
    if size is not None and size < spec.num_trials:
        warnings.append(
            f"num_trials: the space has {_configurations(size)} only, so {size} of {spec.num_trials} trials run"
        )
    if len(spec.search.points) > spec.num_trials:
        num = len(spec.search.points)
        warnings.append(f"search.points: of {num} points the first {spec.num_trials} run only, as num_trials says")
    if set(spec.search.warm_start) - {"probe"} and spec.search.algorithm != "tpe":
        warnings.append(f"search.warm_start: {spec.search.algorithm} only leaves out what earlier trials tried")
    full, expected = _epochs(spec, draws[:num_trials], num_trials)
    if spec.budget.epochs is not None and spec.budget.epochs < expected:
        warnings.append(f"budget.epochs: {spec.budget.epochs} epochs are fewer than the sweep will want")
    return Preview(draws[:NUM_SAMPLES], num_trials, full, expected, warnings)


def _epochs(spec: SweepSpec, draws: list[Params], num_trials: int) -> tuple[int, int]:
    """Epochs without and with early stopping; a parameter `epochs` shortens trainings in proportion."""
    lengths = [int(params.get("epochs") or spec.epochs.max) for params in draws]  # type: ignore[arg-type]
    mean = sum(lengths) / len(lengths)
    full = round(num_trials * mean)
    return full, min(full, round(expected_epochs(spec, num_trials) * max(mean / spec.epochs.max, 1e-9)))


def expected_epochs(spec: SweepSpec, num_trials: int) -> int:
    """Epochs of a sweep in which each rung lets one of `reduction_factor` trials go on."""
    if spec.early_stopping.algorithm == "none":
        return num_trials * spec.epochs.max
    factor = spec.early_stopping.reduction_factor
    levels = [*rung_epochs(spec.epochs.min, spec.epochs.max, factor), spec.epochs.max]
    total, before, alive = 0.0, 0, float(num_trials)
    for level in levels:
        total += alive * (level - before)
        before, alive = level, max(1.0, alive / factor)
    return math.ceil(total)


def _draws(spec: SweepSpec, count: int) -> list[Params]:
    count = min(count, max(NUM_SAMPLES, MAX_VALUES // max(1, len(spec.space.root))))
    points = [params for point in spec.search.points if (params := completed(spec.space, point)) is not None]
    if spec.search.algorithm == "grid":
        others = (params for params in spec.space.grid() if params not in points)
    else:
        more = max(count, MAX_DRAWS) if spec.feasible else count
        others = (spec.space.sample(np.random.default_rng([spec.search.seed, n])) for n in range(len(points), more))
    return list(islice(chain(points, filter(Feasible(spec.feasible), others)), count))


def _never_sampled(spec: SweepSpec, draws: list[Params]) -> list[str]:
    warnings = []
    looked_at = f"a sample of {_configurations(len(draws))}"
    for name, parameter in spec.space.items():
        drawn = [params[name] for params in draws if name in params]
        if not drawn:
            warnings.append(f"space.{name}: never active in {looked_at}")
        elif isinstance(parameter, Choice):
            known = set(map(value_key, drawn))
            never = [choice for choice in parameter.choices if value_key(choice) not in known]
            if never:
                values = cut(" or ".join(map(shown, never)), 200)
                warnings.append(f"space.{name}: never {values} in {looked_at}")
    return warnings


def _configurations(number: int) -> str:
    return f"{number} configuration{'' if number == 1 else 's'}"


def _narrow(spec: SweepSpec) -> list[str]:
    return [
        f"space.{name}: narrower than its step {number_text(parameter.step)}, so it is always"
        f" {number_text(parameter.low)}"
        for name, parameter in spec.space.items()
        if isinstance(parameter, Float | Int)
        and parameter.step is not None
        and parameter.high - parameter.low < parameter.step
    ]


def _one_step(spec: SweepSpec, num_train: int | None) -> list[str]:
    parameter = spec.space.root.get("batch_size")
    if num_train is None or parameter is None:
        return []
    values: list[Any] = [parameter.high] if isinstance(parameter, Float | Int) else []
    values += parameter.values() if isinstance(parameter, Choice | Constant) else []
    return [
        f"space.batch_size: a batch of {value} leaves one step an epoch ({num_train} training examples)"
        for value in values
        if isinstance(value, int) and value >= num_train
    ]
