"""How trials and sweeps end: pure functions of what is known of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from tuner.base.outcomes import FailureCause, Outcome
from tuner.base.patience import is_plateau
from tuner.policy import STOP
from tuner.sweep import Sweep, Trial

INFEASIBLE_IN_A_ROW = 100
"""After so many infeasible trials without another end in between, a sweep ends."""


class TrialEnd(NamedTuple):
    """A trial's outcome, and why."""

    outcome: Outcome
    reason: str


def decided_end(sweep: Sweep, trial: Trial, max_retries: int) -> TrialEnd | None:
    """The end of an unfinished trial that was decided, but did not reach the journal; None if there is none."""
    if trial.epochs and trial.epochs[-1].decision == STOP:
        last = trial.epochs[-1]
        if not math.isfinite(sweep.value(last)):
            return TrialEnd("diverged", last.reason)
        if last.epoch >= trial.epochs_max:
            return TrialEnd("completed", last.reason)
        return TrialEnd("plateaued" if is_plateau(last.outcome, last.reason) else "stopped", last.reason)
    failure = trial.last_failure
    if failure is not None and trial.failures > max_retries:
        return failed_end(failure.cause, failure.reason)
    return None


def failed_end(cause: FailureCause, reason: str) -> TrialEnd:
    """The end of a trial whose retries are used up."""
    return TrialEnd("out_of_memory" if cause == "memory" else "failed", reason)


def too_many_infeasible(ended: Sequence[Trial]) -> str:
    """Why a sweep ends whose last trials were all infeasible; empty while it goes on.

    Args:
        ended: since the driver's start, in the order in which they ended.
    """
    last = ended[-INFEASIBLE_IN_A_ROW:]
    if len(last) < INFEASIBLE_IN_A_ROW or any(trial.outcome != "infeasible" for trial in last):
        return ""
    return (
        f"the last {INFEASIBLE_IN_A_ROW} configurations were all infeasible, the newest one: {last[-1].reason}; narrow"
        f" the space, or state in `feasible` what is feasible"
    )


def finished_text(num_trials: int, num_suggested: int, space_size: int | None, num_earlier: int = 0) -> str:
    """Why a sweep is finished: all its trials have ended, or its space has no more configurations.

    Args:
        num_trials: how many the spec asks for.
        num_suggested: how many there were, some of them maybe before the space was narrowed.
        space_size: the number of the space's configurations; None if it cannot be counted.
        num_earlier: how many trials of earlier sweeps it began with, whose configurations are not tried again.
    """
    if num_suggested >= num_trials:
        return f"all {num_trials} trials ended"
    size = space_size or num_suggested
    what = "1 configuration only, and it was" if size == 1 else f"{size} configurations only, and all of them were"
    return f"the space has {what} tried{', here or in earlier trials' if num_earlier else ''}"
