"""What a trainer of any kind gives for an epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EpochResult:
    """One epoch, from 1.

    `epoch_s` are the seconds inside training and validation; of a script, those that it took for it.
    """

    epoch: int
    metrics: dict[str, float]
    epoch_s: float
