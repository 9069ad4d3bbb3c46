"""does_not_matter: parameters that change next to nothing, so that a search without them is quicker."""

from __future__ import annotations

from typing import Any

from tuner.analysis.advice.finding import Finding, listed, override
from tuner.analysis.advice.standing import Standing
from tuner.analysis.findings import Importance
from tuner.base.text import short
from tuner.spec.space import AnyParameter, Constant, Repeated
from tuner.sweep import Trial

RULE = "does_not_matter"
MIN_TRIALS = 20
_SMALL_SHARE = 0.05
"""The upper end of a parameter's interval lies below it."""
_MIN_QUALITY = 0.3
"""A forest that predicts less of the variance than this says little of what does not matter."""
_GOOD_SHARE = 0.25
_MUCH_CHEAPER = 0.8


def does_not_matter(standing: Standing, importance: Importance | None) -> list[Finding]:
    """One finding on all of them."""
    if importance is None or importance.num_trials < MIN_TRIALS or importance.quality < _MIN_QUALITY:
        return []
    if not standing.ranked or len(importance.parameters) < 2:
        return []
    fixed = [
        (name, share.high, value, why)
        for name, share in importance.parameters.items()
        if share.high < _SMALL_SHARE and (parameter := _to_fix(standing, name)) is not None
        if (chosen := _value(standing, name)) is not None
        for value, why in [chosen]
        for _ in [parameter]
    ]
    if not fixed:
        return []
    names = listed([f"{name} (at most {max(high, 0.01):.0%})" for name, high, _, _ in fixed])
    text = f"Of the differences between {importance.num_trials} trials next to nothing is due to {names}."
    values = listed([f"{name} at {short(value)}, {why}" for name, _, value, why in fixed])
    overrides = tuple(override(f"space.{name}", _constant(standing, name, value)) for name, _, value, _ in fixed)
    return [Finding(RULE, text, f"Fix {values}", overrides, needs_new=True, without_command=f"Fix {values}.")]


def _to_fix(standing: Standing, name: str) -> AnyParameter | None:
    """A parameter that may become a constant: no list, and nothing depends on it."""
    space = standing.spec.space
    if name not in space or isinstance(space[name], Repeated | Constant):
        return None
    for other, parameter in space.items():
        depends = name in (parameter.when or {}) or (isinstance(parameter, Repeated) and parameter.repeat == name)
        if other != name and depends:
            return None
    return space[name]


def _value(standing: Standing, name: str) -> tuple[Any, str] | None:
    """The value to fix, and why: of the good trials' that with much shorter epochs, else the best trial's."""
    having = [trial for trial in standing.ranked if name in trial.params]
    if not having:
        return None
    best = having[0]
    good = having[: max(3, round(_GOOD_SHARE * len(having)))]
    cheapest = min(good, key=_epoch_s)
    if name == "batch_size" and 0 < _epoch_s(cheapest) < _MUCH_CHEAPER * _epoch_s(best):
        return cheapest.params[name], f"which trained {_epoch_s(best) / _epoch_s(cheapest):.1f} times as fast"
    return best.params[name], "as in the best trial" if best is standing.ranked[
        0
    ] else "as in the best trial that has it"


def _epoch_s(trial: Trial) -> float:
    return trial.training_s / max(1, len(trial.epochs))


def _constant(standing: Standing, name: str, value: Any) -> Any:
    """What the spec calls a constant of this value, under the parameter's condition."""
    when = standing.spec.space[name].when
    if when:
        return {"value": value, "when": dict(when)}
    return {"value": value} if isinstance(value, list) else value
