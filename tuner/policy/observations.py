"""What the policy knows of its trials, kept in their order of merit while values arrive."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import islice

from tuner.space import Params

Merit = tuple[bool, int, float, int]


@dataclass(slots=True)
class Observed:
    """What is known of one trial."""

    number: int
    params: Params
    epochs_max: int
    counts: bool = True
    """Whether its configuration lies in the space as it is now; a model of the space cannot use any other."""
    level: int = 0
    """The deepest rung reached, or the last epoch of a completed trial."""
    loss: float = math.inf
    """The loss at `level`."""
    bad: bool = False

    @property
    def merit(self) -> Merit:
        """Sorts the best trial first: by deepest rung, then by value there; bad ones last."""
        return (self.bad, -self.level, self.loss, self.number)

    @property
    def has_result(self) -> bool:
        return self.bad or self.level > 0


class Observations:
    """Every trial by its number, and those that count in their order of merit.

    First those with a result, then running ones without one, then bad ones: a running trial stands as a mediocre one
    (constant liar, Ginsbourger et al. 2010), so that workers spread out.
    """

    def __init__(self) -> None:
        self.num_with_results = 0
        """How many of the trials that count have one."""
        self._trials: dict[int, Observed] = {}
        self._merits: list[Merit] = []

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> Observed:
        return self._trials[number]

    def add(self, trial: Observed) -> None:
        """Takes a new trial; numbers only rise."""
        assert not trial.has_result and trial.number not in self._trials
        self._trials[trial.number] = trial
        if trial.counts:
            insort(self._merits, trial.merit)

    def update(self, trial: Observed, level: int, loss: float, bad: bool) -> None:
        """Changes what is known of a trial, and so its place."""
        if trial.counts:
            del self._merits[bisect_left(self._merits, trial.merit)]
            self.num_with_results -= trial.has_result
        trial.level, trial.loss, trial.bad = level, loss, bad
        if trial.counts:
            insort(self._merits, trial.merit)
            self.num_with_results += trial.has_result

    def ordered(self, at_most: int) -> list[tuple[int, Params]]:
        """(number, params) of the trials that count, best first; of too many the best half, and the newest others."""
        merits = self._merits
        if len(merits) > at_most:
            best = merits[: (at_most + 1) // 2]
            others = (trial.merit for trial in reversed(self._trials.values()) if trial.counts)
            newest = islice((merit for merit in others if merit > best[-1]), at_most - len(best))
            merits = best + sorted(newest)
        return [(number, self._trials[number].params) for *_, number in merits]
