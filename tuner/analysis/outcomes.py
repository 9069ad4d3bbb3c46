"""How trials ended, and why."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from tuner.base.outcomes import TRIAL_STATES, TrialState
from tuner.base.words import cut
from tuner.sweep import Sweep

REASONS_SHOWN = 3
"""The most frequent reasons of an outcome."""
_REASON_CHARACTERS = 160
_NUMBERS = re.compile(r"(?<![\w.])[-+]?\d+(\.\d+)?([eE][-+]?\d+)?(?!\w)")


@dataclass(frozen=True)
class Ending:
    """The trials of one outcome."""

    outcome: TrialState
    trials: int
    training_s: float
    reasons: list[tuple[str, int]]
    """(reason, trials), the most frequent first. Reasons that differ in numbers alone count as the first of them."""


def endings(sweep: Sweep) -> list[Ending]:
    """Each outcome that trials have, in the usual order."""
    found = []
    for outcome in TRIAL_STATES:
        having = [trial for trial in sweep.trials.values() if trial.state == outcome]
        if having:
            seconds = sum(trial.training_s for trial in having)
            reasons = _counted([trial.reason for trial in having if trial.reason])
            found.append(Ending(outcome, len(having), seconds, reasons))
    return found


def _counted(reasons: list[str]) -> list[tuple[str, int]]:
    kinds = Counter(_kind(reason) for reason in reasons)
    exact = {_kind(reason): reason for reason in reversed(reasons)}
    return [
        (cut(exact[kind].partition("\n")[0], _REASON_CHARACTERS), number)
        for kind, number in kinds.most_common(REASONS_SHOWN)
    ]


def _kind(reason: str) -> str:
    """The first line of a reason, with N for each number."""
    return _NUMBERS.sub("N", reason.partition("\n")[0])
