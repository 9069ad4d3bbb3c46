"""Asynchronous successive halving, stopping variant (Li et al. 2020, "Massively Parallel Hyperparameter Tuning").

A trial that reaches a rung continues if it is among the best 1/eta of all that have reached it so far, itself included.
Early trials are judged against few others, so their place is checked again on the way to the next rung.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import pairwise


def rung_epochs(first: int, last: int, reduction_factor: int) -> list[int]:
    """The epochs at which trials are judged: first * eta^k below `last`."""
    rungs = []
    epoch = first
    while epoch < last:
        rungs.append(epoch)
        epoch *= reduction_factor
    return rungs


def second_looks(rungs: list[int], last: int) -> dict[int, int]:
    """Maps each epoch after which a trial is judged again to the rung that it is judged at.

    They lie a sixth and half of the way to the next rung or the end. The first rung is not checked again, as its losses
    say too little to be that strict.
    """
    return {
        epoch: rung
        for rung, following in pairwise([*rungs[1:], last])
        for part in (6, 2)
        if rung < (epoch := rung + (following - rung) // part)
    }


@dataclass(frozen=True)
class Verdict:
    """A value's `place` in its rung, from 1; the best `places` continue."""

    rung: int
    place: int
    size: int
    places: int

    @property
    def goes_on(self) -> bool:
        return self.place <= self.places

    def __str__(self) -> str:
        return f"place {self.place} of {self.size} at epoch {self.rung}, the best {self.places} go on"


class Asha:
    """The rungs of one sweep. Values are losses: lower is better."""

    def __init__(self, rungs: list[int], reduction_factor: int) -> None:
        self._eta = reduction_factor
        self._losses: dict[int, list[float]] = {rung: [] for rung in rungs}

    def judge(self, epoch: int, loss: float) -> Verdict | None:
        """Adds a finite loss to the rung at this epoch and judges it; None between rungs."""
        losses = self._losses.get(epoch)
        if losses is None:
            return None
        insort(losses, loss)
        return self.look(epoch, loss)

    def look(self, rung: int, loss: float) -> Verdict:
        """The current rank of a loss that was added to a rung."""
        losses = self._losses[rung]
        return Verdict(rung, bisect_left(losses, loss) + 1, len(losses), max(1, len(losses) // self._eta))
