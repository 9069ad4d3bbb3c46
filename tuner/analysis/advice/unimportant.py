"""does_not_matter: parameters that change next to nothing, so that a search without them is quicker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.analysis.advice.axes import axes, rounded
from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing
from tuner.analysis.importance_values import Importance
from tuner.base.text import listed, short
from tuner.base.words import value_key
from tuner.spec.space import Constant, Float, Repeated
from tuner.sweep import Trial

RULE = "does_not_matter"
MIN_TRIALS = 20
_SMALL_SHARE = 0.05
"""The upper end of a parameter's interval lies below it."""
_MIN_QUALITY = 0.3
"""A forest that predicts less of the variance than this says little of what does not matter."""
_GOOD_SHARE = 0.25
_MUCH_CHEAPER = 0.8
_CHANCE = 0.1
_NUM_SHUFFLES = 400
_DIGITS = 3


def does_not_matter(standing: Standing, importance: Importance | None) -> list[Finding]:
    """One finding on all of them."""
    if importance is None or importance.num_trials < MIN_TRIALS or importance.quality < _MIN_QUALITY:
        return []
    small = {name: share.high for name, share in importance.parameters.items() if share.high < _SMALL_SHARE}
    fixed = {name: _value(standing, name) for name in small if _may_be_fixed(standing, name)}
    fixed = {name: value for name, value in fixed.items() if value is not None}
    if not fixed or len(importance.parameters) < 2:
        return []
    names = listed([f"{name} (at most {max(small[name], 0.01):.0%})" for name in fixed])
    text = f"Of the differences between {importance.num_trials} trials next to nothing is due to {names}."
    values = [f"{name} at {short(value)}{_why(standing, name, value)}" for name, value in fixed.items()]
    way = f"Fix {listed(values)}"
    overrides = tuple(override(f"space.{name}", _constant(standing, name, value)) for name, value in fixed.items())
    return [Finding(RULE, text, way, overrides, needs_new=True, without_command=f"{way}.")]


def _may_be_fixed(standing: Standing, name: str) -> bool:
    """Whether it may become a constant (it is no list, and nothing depends on it), and places tell nothing of it."""
    space = standing.spec.space
    if name not in space or isinstance(space[name], Repeated | Constant):
        return False
    depend = (
        other
        for other, parameter in space.items()
        if name in (parameter.when or {}) or (isinstance(parameter, Repeated) and parameter.repeat == name)
    )
    if next(depend, None) is not None:
        return False
    every = [*standing.ranked, *standing.bad]
    better = standing.ranked[: max(MIN_TRIALS // 2, len(every) // 2)]
    return all(_chance(standing, name, trials) > _CHANCE for trials in (every, better))


def _chance(standing: Standing, name: str, trials: Sequence[Trial]) -> float:
    """The chance that a trial's place depends so much on a parameter by luck: for values in any order.

    A forest says what the variance is due to, which is mostly that of bad trials; places count the good ones, too, and
    those of the better half tell what matters once the worst of the space is avoided.
    """
    having = [trial for trial in trials if name in trial.params]
    places = np.array([standing.places[trial.number] for trial in having])
    if len(having) < min(MIN_TRIALS / 2, len(trials) / 4) or np.ptp(places) == 0:
        return 0.0
    axis = next((axis for axis in axes(standing.spec.space) if axis.name == name), None)
    if axis is not None:
        number = np.array([axis.number(trial.params) or 0.0 for trial in having])
        x = np.log(np.maximum(number, axis.low)) if axis.is_log else number
        design = np.stack([np.ones_like(x), x, x * x], axis=1)
    else:
        kinds = {kind: place for place, kind in enumerate(dict.fromkeys(value_key(t.params[name]) for t in having))}
        design = np.eye(len(kinds))[[kinds[value_key(trial.params[name])] for trial in having]]
    basis = np.linalg.svd(design / (np.abs(design).max(axis=0) + 1e-300), full_matrices=False)[0]
    centred = places - places.mean()
    rng = np.random.default_rng(0)
    shuffled = np.stack([centred, *(rng.permutation(centred) for _ in range(_NUM_SHUFFLES))])
    explained = np.square(shuffled @ basis).sum(axis=1)
    return float(np.mean(explained >= explained[0] - 1e-9))


def _value(standing: Standing, name: str) -> Any:
    """The best trial's value; of batch sizes a good trial's with much shorter epochs. None if no trial has one."""
    having = [trial for trial in standing.ranked if name in trial.params]
    if not having:
        return None
    best = having[0]
    value = best.params[name]
    if name == "batch_size":
        good = having[: max(3, round(_GOOD_SHARE * len(having)))]
        cheapest = min(good, key=_epoch_s)
        value = cheapest.params[name] if _epoch_s(cheapest) < _MUCH_CHEAPER * _epoch_s(best) else value
    parameter = standing.spec.space[name]
    if isinstance(parameter, Float) and isinstance(value, float) and parameter.contains(rounded(value, _DIGITS)):
        return rounded(value, _DIGITS)
    return value


def _why(standing: Standing, name: str, value: Any) -> str:
    """What is said of a value that is not the best trial's."""
    best = standing.ranked[0].params
    if name not in best:
        return " (of the best trial that has it)"
    return " (whose epochs are shorter)" if name == "batch_size" and value != best[name] else ""


def _epoch_s(trial: Trial) -> float:
    return trial.training_s / max(1, len(trial.epochs))


def _constant(standing: Standing, name: str, value: Any) -> Any:
    """What the spec calls a constant of this value, under the parameter's condition."""
    when = standing.spec.space[name].when
    if when:
        return {"value": value, "when": dict(when)}
    return {"value": value} if isinstance(value, list) else value
