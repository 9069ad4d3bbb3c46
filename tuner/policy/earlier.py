"""A trial of an earlier sweep, or an MLflow run, that this sweep begins with knowing."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tuner.space import Params


@dataclass(frozen=True)
class EarlierTrial:
    """What is known of it. It is never one of the sweep's own: it counts in no rung, no budget and not as the best."""

    source: str
    """The sweep's name, or the experiment's."""
    trial: str
    """Its number in that sweep, or its run's id."""
    params: Params
    """Its values of the parameters that this sweep searches; what was inactive is absent."""
    epoch: int
    """After so many epochs its value was measured, the deepest that it came; 0 if it has no value."""
    epochs_max: int
    """A whole training of it."""
    value: float
    """The objective after `epoch`, in the objective's own sign; NaN if it has none."""
    bad: bool
    """Whether it diverged or failed."""

    def __post_init__(self) -> None:
        if not 0 <= self.epoch <= self.epochs_max or self.epochs_max < 1:
            raise ValueError(f"0 <= epoch <= epochs_max must hold, but got ({self.epoch}, {self.epochs_max})")
        if math.isfinite(self.value) != (self.epoch > 0):
            raise ValueError(f"a value goes with its epoch, but got (value={self.value}, epoch={self.epoch})")
        if not self.bad and not self.epoch:
            raise ValueError("a trial without a value must be bad, but got (epoch=0, bad=False)")

    def to_plain(self) -> dict[str, Any]:
        """Without the source, for a journal."""
        return {key: value for key, value in asdict(self).items() if key != "source"}

    @classmethod
    def from_plain(cls, source: str, plain: dict[str, Any]) -> EarlierTrial:
        """From what `to_plain` gave; JSON has null for NaN."""
        value = plain["value"]
        return cls(source=source, **{**plain, "value": math.nan if value is None else float(value)})
