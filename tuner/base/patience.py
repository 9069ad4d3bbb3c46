"""How long a trial may go on without an improvement: the rule of `keras.callbacks.EarlyStopping`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PLATEAU = "no improvement"
"""The first words of every reason of a trial that has plateaued, by which earlier versions told it."""


@dataclass(frozen=True)
class Patience:
    """When a trial counts as plateaued, and which of its epochs is its result."""

    patience: int
    """It ends after so many epochs in a row without an improvement."""
    min_delta: float = 0.0
    """A value must be better than the best by more than this."""
    baseline: float | None = None
    """An improvement that is not better than this value, too, does not restart the count."""
    restore_best: bool = True
    """Whether the best epoch is its result; else its last one."""


def takes_last(spec: Mapping[str, Any]) -> bool:
    """Whether a trial's last epoch is its result, by a resolved spec; earlier versions know no patience."""
    written = (spec.get("early_stopping") or {}).get("patience") or {}
    return not written.get("restore_best", True)


class Watch:
    """Watches one trial.

    Attributes:
        best_epoch: the last epoch that was an improvement; 0 for none.
        best: its value.
    """

    def __init__(self, rule: Patience, mode: Literal["min", "max"]) -> None:
        self._rule = rule
        self._sign = -1.0 if mode == "max" else 1.0
        self._mode = mode
        self.best_epoch, self.best = 0, self._sign * math.inf
        self._wait = 0

    def take(self, epoch: int, value: float) -> str:
        """Takes the value after an epoch, in order; returns why the trial has plateaued, empty while it has not."""
        self._wait += 1
        if self._improves(value, self.best):
            self.best_epoch, self.best = epoch, value
            if self._rule.baseline is None or self._improves(value, self._rule.baseline):
                self._wait = 0
            return ""
        if self._wait < self._rule.patience or epoch <= 1:
            return ""
        return self._reason()

    def _improves(self, value: float, reference: float) -> bool:
        return self._sign * value + self._rule.min_delta < self._sign * reference

    def _reason(self) -> str:
        epochs = "1 epoch" if self._wait == 1 else f"{self._wait} epochs"
        by = f" by more than {self._rule.min_delta:g}" if self._rule.min_delta else ""
        beats = f" beyond the baseline {self._rule.baseline:g}" if self._is_below_baseline else ""
        best = f"{self.best:.6g} after epoch {self.best_epoch}" if self.best_epoch else "none"
        return f"{PLATEAU}{by}{beats} in {epochs}: the best value was {best}"

    @property
    def _is_below_baseline(self) -> bool:
        return self._rule.baseline is not None and not self._improves(self.best, self._rule.baseline)


def is_plateau(outcome: str | None, reason: str) -> bool:
    """Whether a decision to stop was for want of improvement.

    Args:
        outcome: as the journal has it with the decision; None in those of earlier versions, where the reason tells.
    """
    return reason.startswith(PLATEAU) if outcome is None else outcome == "plateaued"
