"""Which trials were stopped at which epoch, and which went on."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from tuner.policy.asha import rung_epochs
from tuner.sweep import Sweep, Trial


@dataclass(frozen=True)
class Rung:
    """The trials at one of ASHA's rungs, or at the end of a training."""

    epoch: int
    values: dict[int, float]
    """Trial -> its objective value after this epoch; without values that are not finite."""
    stopped: frozenset[int]
    """Of them, those that early stopping ended here, or on the way to the next rung."""


def rungs(sweep: Sweep) -> list[Rung]:
    """The rungs that trials have reached, then the last epoch; empty if the sweep stops no trial early.

    A trial is judged again on its way to the next rung. It counts as stopped at the rung at which it was judged.
    """
    written = sweep.spec.get("early_stopping") or {}
    epochs = sweep.spec.get("epochs") or {}
    first, last = epochs.get("min"), epochs.get("max")
    if written.get("algorithm") != "asha" or not isinstance(first, int) or not isinstance(last, int):
        return []
    levels = [*rung_epochs(first, last, int(written.get("reduction_factor", 3))), last]
    found = [(level, _values(sweep, level)) for level in levels]
    ended_at = Counter({trial.number: _stopped_at(trial, levels) for trial in sweep.trials.values()})
    return [
        Rung(level, values, frozenset(number for number in values if ended_at[number] == level))
        for level, values in found
        if values
    ]


def _values(sweep: Sweep, epoch: int) -> dict[int, float]:
    values: dict[int, float] = {}
    for trial in sweep.trials.values():
        if trial.epochs_trained >= epoch:
            reported = next((one for one in reversed(trial.epochs) if one.epoch == epoch), None)
            if reported is not None and math.isfinite(value := sweep.value(reported)):
                values[trial.number] = value
    return values


def _stopped_at(trial: Trial, levels: list[int]) -> int:
    """The rung at which a trial was stopped; 0 if it was not."""
    if trial.outcome not in ("stopped", "plateaued"):
        return 0
    return max((level for level in levels if level <= trial.epochs_trained), default=0)
