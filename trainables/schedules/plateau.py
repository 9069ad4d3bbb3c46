"""The rule of the schedule `plateau`: after which epochs the rate falls, and by how much. Pure.

It is that of Keras's ReduceLROnPlateau with `monitor="val_loss"`, and may let the rate rise again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from trainables.settings import Settings


@dataclass(frozen=True)
class Plateau:
    """What the rule knows after an epoch; `rate` is that of the next epoch."""

    rate: float
    best: float = math.inf
    """The lowest val_loss so far that counted as an improvement."""
    wait: int = 0
    """Epochs since then, or since the rate fell."""
    cooldown: int = 0
    """Epochs that do not count yet."""
    fell: bool = False
    """Whether the rate has fallen since the last improvement."""
    rises: bool = False

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Plateau:
        """The one that `to_dict` gave.

        Raises:
            TypeError, ValueError: it is none.
        """
        state = cls(**kept)
        rate, best, wait, cooldown = float(state.rate), float(state.best), int(state.wait), int(state.cooldown)
        return replace(state, rate=rate, best=best, wait=wait, cooldown=cooldown)

    def to_dict(self) -> dict[str, Any]:
        """Its fields, as JSON takes them; an infinite number, which JSON lacks, is left out."""
        return {name: value for name, value in asdict(self).items() if value != math.inf}

    def after(self, epoch: int, val_loss: float, params: Any) -> Plateau:
        """What the rule knows after one more epoch (from 1) with this validation loss."""
        settings = Settings(params)
        cooldown, wait = self.cooldown, self.wait
        if cooldown > 0:
            cooldown, wait = cooldown - 1, 0
        state = replace(self, cooldown=cooldown, wait=wait)
        if state.rises:
            state = state._risen(settings)
        if np.float32(val_loss + settings.plateau_min_delta) < np.float32(state.best):
            return replace(state, best=val_loss, wait=0, fell=False)
        if self.rises or cooldown > 0 or epoch <= params.warmup_epochs:
            return state
        state = replace(state, wait=wait + 1)
        return state._at_plateau(settings) if state.wait >= settings.plateau_patience else state

    def _at_plateau(self, settings: Settings) -> Plateau:
        lowest = settings.plateau_min_lr
        can_fall = self.rate > np.float32(lowest)
        if settings.plateau_rise > 1 and (self.fell or not can_fall):
            return replace(self, wait=0, rises=True)
        if not can_fall:
            return self
        rate = _float32(max(self.rate * settings.plateau_factor, lowest))
        return replace(self, rate=rate, wait=0, cooldown=settings.plateau_cooldown, fell=True)

    def _risen(self, settings: Settings) -> Plateau:
        """One epoch further up; at the top the rule begins anew."""
        highest = _float32(settings.learning_rate)
        rate = min(_float32(self.rate * settings.plateau_rise), highest)
        return replace(self, rate=rate, rises=rate < highest, wait=0, fell=self.fell and rate < highest)


def begin(params: Any) -> Plateau | None:
    """What the rule knows before the first epoch; None where the schedule is another one."""
    return Plateau(_float32(params.learning_rate)) if params.schedule == "plateau" else None


def _float32(rate: float) -> float:
    """As an optimizer keeps it, which the next fall begins from."""
    return float(np.float32(rate))
