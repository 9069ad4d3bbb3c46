"""How many suggestions are drawn from the whole space, as broad or random ones: a share that follows what has paid.

Where the model sees nothing, draws find as much as it does and cover more; where it sees much, they are wasted. Each
trial that passes a rung earns for what drew it as many units as the rung has of the first one's epochs, so that getting
far counts for more than starting well. The share of draws is their mean earning over the sum of both.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST, MOST = 1 / 8, 0.7
"""The share's bounds: a misled model cannot hide a region for good, and draws alone never take over."""


@dataclass
class _Arm:
    trials: int = 2
    """With two that are believed to have been before anything is known, and what they earned."""
    earned: float = 3.0


@dataclass
class Mixture:
    """The mean earnings of the model's suggestions (True) and of draws from the whole space (False)."""

    _arms: dict[bool, _Arm] = field(default_factory=lambda: {True: _Arm(), False: _Arm()})

    def judged(self, is_modelled: bool, units: float, passed: bool) -> None:
        """A trial came to a rung of so many times the first one's epochs, and passed it or was stopped."""
        arm = self._arms[is_modelled]
        arm.trials += units == 1
        arm.earned += units * passed

    @property
    def share_of_draws(self) -> float:
        """How likely the next suggestion is drawn from the whole space."""
        model, draws = (arm.earned / arm.trials for arm in (self._arms[True], self._arms[False]))
        return min(MOST, max(LEAST, draws / (draws + model)))
