"""The share of suggestions that are drawn from the whole space (broad or random). It follows what has paid off.

Where the model has learned nothing, draws are as good and cover more; where it has learned much, draws are wasted. A
trial that passes a rung earns points for its source, model or draw: the rung's epochs divided by the first rung's, so
getting far counts for more than starting well. A trial that ends badly before the first rung earns nothing. The share
of draws is their mean earning divided by the sum of both means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST, MOST = 1 / 8, 0.7
"""Bounds of the share: a misled model cannot hide a region for good, and draws never take over."""


@dataclass
class _Arm:
    trials: int = 2
    """Starts with two fictitious trials and their earnings, as a prior."""
    earned: float = 3.0


@dataclass
class Mixture:
    """Mean earnings of the model's suggestions (True) and of draws from the whole space (False)."""

    _arms: dict[bool, _Arm] = field(default_factory=lambda: {True: _Arm(), False: _Arm()})

    def tried(self, is_modelled: bool) -> None:
        """Counts a trial that reached the first rung, or ended badly before it."""
        self._arms[is_modelled].trials += 1

    def passed(self, is_modelled: bool, units: float) -> None:
        """Counts a trial that passed a rung; `units` is the rung's epochs divided by the first rung's."""
        self._arms[is_modelled].earned += units

    @property
    def share_of_draws(self) -> float:
        """The probability that the next suggestion is drawn from the whole space."""
        model, draws = (arm.earned / arm.trials for arm in (self._arms[True], self._arms[False]))
        return min(MOST, max(LEAST, draws / (draws + model)))
