"""Trials of earlier sweeps, or MLflow runs, that a sweep knows from the start."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tuner.spec.space import Params, key

EARLIER_MAX = 60
"""How many count at the start; one fewer with each result of the sweep's own."""


@dataclass(frozen=True)
class EarlierTrial:
    """What is known of an earlier trial. It counts in no rung or budget, and never as the sweep's best."""

    source: str
    """The sweep's name, or the experiment's."""
    trial: str
    """Its number in that sweep, or its run's id."""
    params: Params
    """Its values of the parameters that this sweep searches, without inactive ones."""
    epoch: int
    """The epoch of its value, the last one that has any; 0 if it has no value."""
    epochs_max: int
    """Its whole training."""
    value: float
    """The objective after `epoch`, with its original sign; NaN if there is none."""
    bad: bool
    """Whether it diverged or failed."""
    same_constants: bool = True
    """Whether what is constant here was the same there, so that its configuration is one of this space's."""

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


def digest(trials: Sequence[EarlierTrial]) -> int:
    """A number that depends on the configurations of these trials."""
    text = repr([key(trial.params) for trial in trials])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class EarlierTrials:
    """The earlier trials that a space covers, by negative numbers: -1 is the first.

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
        """The numbers of those that still count, best first: each result of the sweep's own replaces one.

        If there are too many, the best half and an even selection of the rest.
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
        """Sorts the best first: by how far they were trained, then by their value there."""
        return trial.bad, -trial.epoch / trial.epochs_max, self._sign * trial.value if trial.epoch else math.inf
