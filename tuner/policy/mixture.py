"""The share of suggestions drawn from the whole space (origins broad and random), which follows what has paid.

If the model sees nothing, draws find as much as it does and cover more; if it sees much, they are wasted. Each trial
that passes a rung earns for its origin: the rung's epochs, in units of the first rung's, so that getting far counts
more than starting well. A trial with a bad end before the first rung earns nothing. The share of draws is their mean
earning over the sum of both means.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST, MOST = 1 / 8, 0.7
"""Bounds of the share: a misled model cannot hide a region for good, and draws never take over."""


@dataclass
class _Arm:
    trials: int = 2
    """Two are assumed before anything is known, and what they earned."""
    earned: float = 3.0


@dataclass
class Mixture:
    """Mean earnings of the model's suggestions (True) and of draws from the whole space (False)."""

    _arms: dict[bool, _Arm] = field(default_factory=lambda: {True: _Arm(), False: _Arm()})

    def tried(self, is_modelled: bool) -> None:
        """A trial reached the first rung, or a bad end before it."""
        self._arms[is_modelled].trials += 1

    def passed(self, is_modelled: bool, units: float) -> None:
        """A trial passed a rung; `units` is the rung's epochs divided by the first rung's."""
        self._arms[is_modelled].earned += units

    @property
    def share_of_draws(self) -> float:
        """The probability that the next suggestion is drawn from the whole space."""
        model, draws = (arm.earned / arm.trials for arm in (self._arms[True], self._arms[False]))
        return min(MOST, max(LEAST, draws / (draws + model)))
