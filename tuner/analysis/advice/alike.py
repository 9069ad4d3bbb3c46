"""cannot_tell_apart: the best trials differ by less than another training of the same configuration would change."""

from __future__ import annotations

from typing import Any

from tuner.analysis.advice.axes import rounded
from tuner.analysis.advice.finding import Finding, override
from tuner.analysis.advice.standing import Standing
from tuner.base.text import listed, short
from tuner.spec.space import Float, Space
from tuner.sweep import Trial

RULE = "cannot_tell_apart"
MIN_TRIALS = 4
_DEVIATIONS = 2.0
_MOST_NAMED = 5
_DIGITS = 6


def cannot_tell_apart(standing: Standing) -> list[Finding]:
    """The trials within the noise of the best one, and how to train them with another seed."""
    noise, ranked = standing.noise, [trial for trial in standing.ranked if standing.reached[trial.number].has_ended]
    if noise is None or noise.deviation <= 0 or len(standing.ranked) < MIN_TRIALS or not ranked:
        return []
    ranked.sort(key=standing.sweep.rank)
    best = ranked[0]
    reach = _DEVIATIONS * noise.deviation
    alike = [trial for trial in ranked if abs(trial.best_value - best.best_value) <= reach]
    if len(alike) < 2:
        return []
    named = alike[:_MOST_NAMED]
    more = f" and {len(alike) - len(named)} more" if len(alike) > len(named) else ""
    numbers = f"{', '.join(str(trial.number) for trial in named)}{more}" if more else listed([t.number for t in named])
    text = (
        f"The best {len(alike)} trials ({numbers}) cannot be told apart: they differ by"
        f" {short(rounded(abs(alike[-1].best_value - best.best_value), 2))} at most, and {noise.source} has a standard"
        f" deviation of {short(rounded(noise.deviation, 2))}."
    )
    return [
        Finding(
            RULE, text, "Train them with another seed", _another_seed(standing, named), needs_new=True,
            without_command=f"Take the one that is cheapest to use ({_cheapest(named)}).",
        )
    ]  # fmt: skip


def _another_seed(standing: Standing, trials: list[Trial]) -> tuple[str, ...]:
    """A sweep of these configurations alone, each trained to its end, with the next seed."""
    points = [_point(standing.spec.space, trial.params) for trial in trials]
    return (
        override("search.points", points),
        override("search.seed", standing.spec.search.seed + 1),
        override("num_trials", len(points)),
        *([override("early_stopping.algorithm", "none")] if standing.spec.early_stopping.algorithm != "none" else []),
        *([override("search.warm_start", [])] if standing.spec.search.warm_start else []),
    )


def _point(space: Space, params: dict[str, Any]) -> dict[str, Any]:
    """What of a configuration is searched; real numbers with so many digits that they stay the same to a training."""
    return {name: _tidy(space, name, params[name]) for name in space.searched if name in params}


def _tidy(space: Space, name: str, value: Any) -> Any:
    parameter = space[name]
    if not isinstance(parameter, Float) or not isinstance(value, float):
        return value
    short_value = rounded(value, _DIGITS)
    return short_value if parameter.contains(short_value) else value


def _cheapest(trials: list[Trial]) -> str:
    fastest = min(trials, key=lambda trial: trial.training_s / max(1, len(trial.epochs)))
    return f"trial {fastest.number} trained fastest"
