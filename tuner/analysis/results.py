"""The results of a sweep's trials after a number of epochs, each beside the best.

What early stopping ended after one epoch is not as bad as its only value. So trials are compared as the policy compares
them (`tuner/policy/ends.py`): each is carried to the deepest rung, or the end, to which enough others have led.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

from tuner.analysis.ends import Courses
from tuner.base.patience import takes_last
from tuner.sweep import Sweep, Trial


def results_after(sweep: Sweep, budget: int) -> list[float]:
    """The results of the trials begun within `budget` epochs of all trials, best first; greater is better here.

    The first is the best that was reached, and the others are as far below it as they are once carried to the same
    epoch. A trial without a usable value counts as worse than all others (-inf). Empty if no trial has a value.
    """
    within = cut(sweep, budget)
    reached = {trial.number: _goodness(within, trial) for trial in within.trials.values()}
    best = max(reached.values(), default=-math.inf)
    if not math.isfinite(best):
        return []
    losses = Courses(within).carried(trial.number for trial in within.trials.values() if trial.usable)
    lowest = min(losses.values(), default=0.0)
    beside = {number: best + lowest - loss for number, loss in losses.items()}
    return sorted((beside.get(number, value) for number, value in reached.items()), reverse=True)


def cut(sweep: Sweep, budget: int) -> Sweep:
    """A sweep as of the first `budget` epochs of all its trials, with the trials that have any."""
    within = copy.copy(sweep)
    ends = sorted(epoch.seq for trial in sweep.trials.values() for epoch in trial.epochs)
    last = ends[budget - 1] if 0 < budget < len(ends) else ends[-1] if ends and budget > 0 else -1
    cuts = (_cut(sweep, trial, last) for trial in sweep.trials.values())
    within.trials = {trial.number: trial for trial in cuts if trial.epochs}
    return within


def _cut(sweep: Sweep, trial: Trial, last: int) -> Trial:
    """A trial without the epochs whose events come after `last`."""
    epochs = [epoch for epoch in trial.epochs if epoch.seq <= last]
    if len(epochs) == len(trial.epochs):
        return trial
    values = [(sweep.value(epoch), epoch.epoch) for epoch in epochs if math.isfinite(sweep.value(epoch))]
    best = None
    if values:
        best = (
            values[-1]
            if takes_last(sweep.spec)
            else (max if sweep.mode == "max" else min)(values, key=lambda it: it[0])
        )
    outcome = trial.outcome if trial.outcome is not None and not trial.usable else None
    if best is None:
        return replace(trial, epochs=epochs, outcome=outcome, best_epoch=0, best_value=math.nan)
    return replace(trial, epochs=epochs, outcome=outcome, best_epoch=best[1], best_value=best[0])


def _goodness(sweep: Sweep, trial: Trial) -> float:
    if not trial.usable:
        return -math.inf
    return trial.best_value if sweep.mode == "max" else -trial.best_value
