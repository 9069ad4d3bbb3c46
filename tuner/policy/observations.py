"""What the policy knows of its trials, and their current order of merit."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from tuner.policy.ends import Ends
from tuner.spec.space import Params


@dataclass(slots=True)
class Observed:
    """What the policy knows about one trial."""

    number: int
    params: Params
    epochs_max: int
    counts: bool = True
    """Whether its configuration lies in the current space; the model can only use such trials."""
    level: int = 0
    """The deepest rung reached, or the last epoch of a completed trial."""
    loss: float = math.inf
    """The best loss up to `level`: a trial is worth its best epoch, whose weights are kept."""
    best_loss: float = math.inf
    """The best loss so far."""
    epoch: int = 0
    """The last epoch that was told."""
    bad: bool = False

    @property
    def is_usable(self) -> bool:
        """Whether it has a result and did not end badly."""
        return self.level > 0 and not self.bad

    @property
    def has_result(self) -> bool:
        return self.bad or self.level > 0


class Observations:
    """Every trial by number, and a ranking of those that count.

    First come those with a result, by their expected end (see `Ends`), then running ones without a result, then bad
    ones. So a running trial counts as a mediocre one (constant liar, Ginsbourger et al. 2010), and workers spread out.

    Args:
        rungs: the epochs at which trials are compared, ascending, without the end of a whole training.
    """

    def __init__(self, rungs: Sequence[int] = ()) -> None:
        self.num_with_results = 0
        """How many of the trials that count have a result."""
        self._rungs = list(rungs)
        self._ends = Ends(len(rungs) + 1)
        self._trials: dict[int, Observed] = {}
        self._reached: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
        """(level that trials reached, last level of their training) -> their (loss, number), best first."""
        self._running: dict[int, None] = {}
        self._bad: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, number: int) -> Observed:
        return self._trials[number]

    def add(self, trial: Observed) -> None:
        """Adds a new trial; numbers must ascend."""
        assert not trial.has_result and trial.number not in self._trials
        self._trials[trial.number] = trial
        if trial.counts:
            self._running[trial.number] = None

    def update(self, trial: Observed, level: int, loss: float, bad: bool) -> None:
        """Takes a trial's loss at a level, or its bad end, which changes its place in the order."""
        if trial.counts:
            self._take_out(trial)
            self.num_with_results -= trial.has_result
        place, last = self._places(trial, level)
        came_from, _ = self._places(trial, trial.level)
        is_short = place == last < len(self._rungs)  # it ends between the levels of a whole training
        if not bad and trial.level and place == came_from + 1 and not is_short:
            self._ends.add(came_from, trial.loss, loss)
        trial.level, trial.loss, trial.bad = level, loss, bad
        if trial.counts:
            self._put_in(trial)
            self.num_with_results += trial.has_result

    def shorten(self, trial: Observed) -> None:
        """Takes the end of a trial that ended itself: its training was as long as it came."""
        if trial.counts:
            self._take_out(trial)
            self.num_with_results -= trial.has_result
        trial.epochs_max, trial.level, trial.loss = trial.epoch, trial.epoch, trial.best_loss
        if trial.counts:
            self._put_in(trial)
            self.num_with_results += trial.has_result

    @property
    def num_usable(self) -> int:
        """How many of the trials that count have a result and did not end badly."""
        return self.num_with_results - self.num_bad

    @property
    def num_bad(self) -> int:
        """How many of the trials that count ended badly."""
        return len(self._bad)

    def newest_bad(self, at_most: int) -> list[int]:
        """The newest trials that ended badly, of those that count."""
        return list(islice(reversed(self._bad), at_most))

    def outlook(self, trial: Observed) -> tuple[float, float] | None:
        """A trial's expected loss at the end of its training, and its standard deviation; None if unknown yet."""
        return self._ends.outlook(*self._places(trial, trial.level), trial.loss)

    def ordered(self, at_most: int) -> list[int]:
        """The numbers of the trials that count, best first; of too many, the best half and the newest others."""
        with_end = [
            (*self._ends.end(place, last, loss), number)
            for (place, last), reached in self._reached.items()
            for loss, number in islice(reached, at_most)
        ]
        ordered = [number for *_, number in sorted(with_end)]
        others = [*self._running, *self._bad]
        total = self.num_usable + len(others)
        if total <= at_most:
            return ordered + others
        best = [*ordered, *others][: (at_most + 1) // 2]
        kept = set(best)
        newest = (n for n, trial in reversed(self._trials.items()) if trial.counts and n not in kept)
        return best + sorted(islice(newest, at_most - len(best)), key=self._merit)

    def _merit(self, number: int) -> tuple[int, int, float, int]:
        trial = self._trials[number]
        if not trial.has_result or trial.bad:
            return (1 + trial.bad, 0, 0.0, number)
        return (0, *self._ends.end(*self._places(trial, trial.level), trial.loss), number)

    def _places(self, trial: Observed, level: int) -> tuple[int, int]:
        """The indices of an epoch's level and of the level after the trial's last rung, which is its training's end."""
        last = bisect_left(self._rungs, trial.epochs_max)
        return bisect_left(self._rungs, level), last

    def _put_in(self, trial: Observed) -> None:
        if trial.bad:
            self._bad[trial.number] = None
        else:
            insort(self._reached[self._places(trial, trial.level)], (trial.loss, trial.number))

    def _take_out(self, trial: Observed) -> None:
        if trial.bad:
            del self._bad[trial.number]
        elif trial.level:
            reached = self._reached[self._places(trial, trial.level)]
            del reached[bisect_left(reached, (trial.loss, trial.number))]
        else:
            del self._running[trial.number]
