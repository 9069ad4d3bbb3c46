"""Trials of earlier sweeps, or MLflow runs, whose results a new sweep starts with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from tuner.spec.space import Params

EARLIER_MAX = 60
"""How many count at the start. Each result of the sweep's own replaces one."""


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier sweep. It counts in no rung and no budget, and is never the best of this sweep."""

    source: str
    """The sweep's name, or the experiment's."""
    trial: str
    """Its number in that sweep, or its run's id."""
    params: Params
    """Its values of the parameters that this sweep searches; inactive ones are absent."""
    epoch: int
    """The epoch at which its value was measured, the last one that it reached; 0 if it has no value."""
    epochs_max: int
    """The epochs of its whole training."""
    value: float
    """The objective after `epoch`, with its original sign; NaN if there is none."""
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
        """Its fields without the source, as the journal holds them."""
        return {key: value for key, value in asdict(self).items() if key != "source"}

    @classmethod
    def from_plain(cls, source: str, plain: dict[str, Any]) -> EarlierTrial:
        """The inverse of `to_plain`; null in JSON is NaN."""
        value = plain["value"]
        return cls(source=source, **{**plain, "value": math.nan if value is None else float(value)})


class EarlierTrials:
    """The earlier trials that lie in the space, by negative numbers: -1 is the first one.

    Args:
        sign: -1 if a higher objective is better, else 1.
    """

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._trials: list[EarlierTrial] = []

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> EarlierTrial:
        return self._trials[-1 - number]

    def add(self, trial: EarlierTrial) -> int:
        """Adds a trial and returns its number."""
        self._trials.append(trial)
        return -len(self._trials)

    def counting(self, num_own: int) -> list[int]:
        """The numbers of the trials that still count, the best first.

        Each of the sweep's own results replaces one. If there are too many trials, the best half counts, and an even
        selection of the rest.
        """
        left = max(0, EARLIER_MAX - num_own)
        if not left or not self._trials:
            return []
        order = sorted(range(len(self._trials)), key=lambda index: self._merit(self._trials[index]))
        if len(order) > left:
            best, rest = order[: left // 2], order[left // 2 :]
            order = best + [rest[i * len(rest) // (left - len(best))] for i in range(left - len(best))]
        return [-1 - index for index in order]

    def _merit(self, trial: EarlierTrial) -> tuple[bool, float, float]:
        """Sorts the best trial first: by how far it was trained, then by its value there."""
        return trial.bad, -trial.epoch / trial.epochs_max, self._sign * trial.value if trial.epoch else math.inf
