"""What an analysis of importance finds, as plain values: shares, pairs, and the objective along what matters most."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MIN_TRIALS = 12
"""With fewer results, nothing can be told."""


@dataclass(frozen=True)
class Share:
    """A share of the variance with an interval: 0 <= low <= value <= high <= 1.

    The interval holds 80% of the values that resampled trials give (a bootstrap; each time with new forests).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Marginal:
    """The expected objective along one parameter, averaged over all others (of a condition: where it holds)."""

    values: list[Any]
    """Of the parameter, ascending; those of a choice in the order of the spec."""
    mean: list[float]
    """The objective, in its own units and with its own sign."""
    low: list[float]
    high: list[float]
    """With `low`, the 80% interval of the mean."""


@dataclass(frozen=True)
class Surface:
    """The expected objective over two parameters, averaged over all others."""

    first: list[Any]
    """Values of the first parameter, as in `Marginal`."""
    second: list[Any]
    """Values of the second one."""
    mean: list[list[float]]
    """The objective: a list for each value of the first parameter, with an item for each value of the second."""
    low: list[list[float]]
    high: list[list[float]]
    """With `low`, the 80% interval of the mean."""


@dataclass(frozen=True)
class Importance:
    """How much of what a forest explains is due to each parameter. All mappings begin with what matters most."""

    parameters: dict[str, Share]
    """By label (`learning_rate`; `units[0]` of a list): the values sum to 1. A parameter has its own effect and half of
    each interaction that it is part of."""
    pairs: dict[tuple[str, str], Share]
    """By the labels of two parameters: the share of their interaction, beyond their own effects. Of what single
    parameters and pairs explain; among the 16 parameters with the largest effects."""
    marginals: dict[str, Marginal]
    """Of every parameter."""
    surfaces: dict[tuple[str, str], Surface]
    """Of the pairs among the parameters that matter most; labels in the order of `parameters`."""
    num_trials: int
    """How many trials this rests on."""
    quality: float
    """How much of the variance between trials the forest explains, by its predictions of trials that it has not seen
    (the square of the correlation)."""


@dataclass(frozen=True)
class Unknown:
    """Why nothing can be said of importance."""

    reason: str
    """For people: `cannot tell yet: 9 trials have a result, 12 are needed`."""
    num_trials: int
    """How many trials have a result."""


def too_few(num_trials: int) -> str:
    """Why so few trials tell nothing."""
    have = "1 trial has" if num_trials == 1 else f"{num_trials} trials have"
    return f"cannot tell yet: {have} a result, {MIN_TRIALS} are needed"


def importance_data(found: Importance | Unknown | None) -> dict[str, dict[str, float]] | None:
    """Importance as JSON has it; null where nothing can be told."""
    if not isinstance(found, Importance):
        return None
    return {name: asdict(share) for name, share in found.parameters.items()}


def matters_text(found: Importance | Unknown, at_most: int = 4) -> str:
    """Importance in a line: `learning_rate 71% (64 to 80), units 12% (5 to 20)`; or why nothing can be told."""
    if isinstance(found, Unknown):
        return found.reason
    shown = list(found.parameters.items())[:at_most]
    parts = [f"{name} {100 * it.value:.0f}% ({100 * it.low:.0f} to {100 * it.high:.0f})" for name, it in shown]
    left = len(found.parameters) - len(shown)
    return ", ".join(parts) + (f", {left} more" if left else "")
