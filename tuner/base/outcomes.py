"""The words for how trials, attempts and sweeps stand and end: in the journal, in `--json` and in MLflow's tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Outcome = Literal["completed", "stopped", "plateaued", "diverged", "failed", "out_of_memory", "infeasible", "cancelled"]
"""How a trial ended: trained all its epochs, stopped by the policy, stopped by its own early stopping, had a non-finite
loss or objective, used up its retries (without memory: `out_of_memory`), was said by its code to be infeasible, or was
stopped by hand."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

UNFINISHED: Literal["unfinished"] = "unfinished"
"""Shown in place of an outcome for a trial that has none."""
TrialState = Outcome | Literal["unfinished"]
TRIAL_STATES: tuple[TrialState, ...] = (*OUTCOMES, UNFINISHED)

UNUSABLE: frozenset[Outcome] = frozenset({"diverged", "failed", "out_of_memory", "infeasible"})
"""Outcomes that count as bad: such a trial is never missing from the policy's view and never the best."""


def num_ended(outcomes: Mapping[str, int]) -> int:
    """Of trials counted by state, how many have ended and count towards num_trials, as infeasible ones do not."""
    return sum(count for state, count in outcomes.items() if state not in (UNFINISHED, "infeasible"))


FailureCause = Literal["error", "memory", "timeout", "worker", "node"]
"""Why an attempt failed: the user's code raised, memory ran out, an epoch took too long, the worker's process died, or
its node or the cluster was lost."""
LossCause = Literal["memory", "timeout", "worker", "node", "retired"]
"""Why a worker is gone: as above, or it made room for a fresh process, which is no failure."""
WorkerCause = Literal["error", "memory", "infeasible", "data", "code", "storage"]
"""What a worker reports: as above, that the configuration is infeasible, or a fault that no trial can survive (in the
data, the code, or the storage)."""

EndState = Literal["finished", "paused", "stopped"]
"""How a sweep ended: as asked, with a budget used up, or stopped by the user or a rule."""
SweepState = Literal["running", "interrupted"] | EndState
"""`interrupted`: no driver runs it, and it has not ended."""
