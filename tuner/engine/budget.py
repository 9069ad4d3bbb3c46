"""When a sweep has used up its budget or stops improving: pure functions of the folded sweep."""

from __future__ import annotations

from tuner.spec.models import Budget
from tuner.sweep import Sweep, is_better
from tuner.sweep import events as ev


def used_up(budget: Budget, sweep: Sweep, now: float) -> ev.SweepEnded | None:
    """How the sweep ends if its budget is used up at `now` (Unix seconds), while a driver runs; else None."""
    unseen_s = max(0.0, now - sweep.spans[-1].last_at)
    wall_s = sweep.wall_s + unseen_s
    cost = budget.price * (sweep.slot_hours + sweep.slots * unseen_s / 3600)
    if budget.epochs is not None and sweep.num_epochs >= budget.epochs:
        return _paused(f"the budget of {budget.epochs} epochs is used up")
    if budget.wall_time is not None and wall_s >= budget.wall_time:
        return _paused(f"the budget of {budget.wall_time:g} s is used up")
    if budget.cost is not None and cost >= budget.cost:
        return _paused(f"the budget of {budget.cost:g} is used up ({budget.price:g} an hour and slot)")
    return None


def plateau(budget: Budget, sweep: Sweep) -> ev.SweepEnded | None:
    """How the sweep ends if its last trials brought no improvement; else None. To be asked when a trial has ended."""
    limit = budget.plateau
    if limit is None or trials_without_improvement(sweep, limit.min_delta) < limit.trials:
        return None
    delta = f" of more than {limit.min_delta:g}" if limit.min_delta else ""
    return ev.SweepEnded(reason=f"no improvement{delta} for {limit.trials} trials", state="stopped")


def trials_without_improvement(sweep: Sweep, min_delta: float) -> int:
    """How many trials have ended since one beat the best before it by more than `min_delta`."""
    best: float | None = None
    count = 0
    for trial in sweep.ended_trials:
        count += trial.outcome != "infeasible"
        if not trial.usable:
            continue
        bar = best if best is None else best + (min_delta if sweep.mode == "max" else -min_delta)
        if bar is None or is_better(trial.best_value, bar, sweep.mode):
            best, count = trial.best_value, 0
    return count


def _paused(reason: str) -> ev.SweepEnded:
    return ev.SweepEnded(reason=reason, state="paused")
