"""Compares the decisions in the journal with what follows from the events before them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tuner.base.outcomes import UNUSABLE, Outcome
from tuner.base.patience import is_plateau, takes_last
from tuner.engine.replay import Recomputed, recompute
from tuner.policy import VERSION, Policy
from tuner.policy.asha import rung_epochs
from tuner.review.verification.history import STOP
from tuner.review.verification.result import Findings
from tuner.spec import SweepSpec
from tuner.sweep import Sweep, Trial, is_better
from tuner.sweep import events as ev

_FREE: tuple[Outcome, ...] = ("cancelled", "plateaued", "infeasible")
"""Outcomes that do not follow from the journal: the user or the trainable decides them."""


def check_decisions(events: Sequence[ev.AnyEvent], found: Findings) -> Recomputed:
    """Compares every suggestion and decision of this policy version with a replay; other versions are not judged."""
    recomputed = recompute(events)
    for line in recomputed.wrong:
        found.add("decisions", line)
    return recomputed


def not_recomputed(recomputed: Recomputed) -> str:
    """What was not compared with a replay, as a clause; empty if everything was."""
    left = sorted(recomputed.left.items())
    if not left:
        return ""
    texts = [f"{num} decisions by version {version} of the policy" for version, num in left]
    return f"{' and '.join(texts)} cannot be recomputed by this one, which has version {VERSION}"


def unnamed(recomputed: Recomputed) -> str:
    """A note about differences in an old journal; empty if there are none."""
    if not recomputed.num_unnamed:
        return ""
    return (
        f"{recomputed.num_unnamed} of the decisions that differ are from before journals named the policy's version;"
        f" they were recomputed as version 1, but an older policy may have made them"
    )


def check_outcomes(events: Sequence[ev.AnyEvent], found: Findings) -> None:
    """Checks that each trial's outcome follows from its last decision, or from failures that used up its retries."""
    sweep = Sweep()
    for event in events:
        if isinstance(event, ev.TrialEnded) and not _is_free(sweep.trials[event.trial], event):
            expected = expected_end(sweep, sweep.trials[event.trial])
            if expected != (event.outcome, event.reason):
                was = f"{event.outcome} ({event.reason})"
                follows = f"{expected[0]} ({expected[1]})" if expected else "no end"
                found.add("decisions", f"trial {event.trial} ended as {was}, but {follows} follows from its events")
        elif isinstance(event, ev.TrialStarted):
            expected = expected_end(sweep, sweep.trials[event.trial])
            if expected is not None:
                found.add("decisions", f"trial {event.trial} was given out again, but was to end as {expected[0]}")
        sweep.apply(event)


def _is_free(trial: Trial, event: ev.TrialEnded) -> bool:
    """Whether the outcome does not follow from the journal; so does that of a script that ended by itself."""
    was_told = bool(trial.epochs) and trial.epochs[-1].decision == STOP
    return event.outcome in _FREE or (event.outcome == "completed" and bool(trial.epochs) and not was_told)


def expected_end(sweep: Sweep, trial: Trial) -> tuple[Outcome, str] | None:
    """The outcome and reason that a trial must now end with; None if it continues."""
    last = trial.epochs[-1] if trial.epochs else None
    if last is not None and last.decision == STOP:
        if not math.isfinite(sweep.value(last)):
            return "diverged", last.reason
        if last.epoch >= trial.epochs_max:
            return "completed", last.reason
        return "plateaued" if is_plateau(last.outcome, last.reason) else "stopped", last.reason
    failure = trial.last_failure
    if failure is not None and trial.failures > int(sweep.spec["failures"]["max_retries"]):
        return "out_of_memory" if failure.cause == "memory" else "failed", failure.reason
    return None


def check_policy(spec: SweepSpec, sweep: Sweep, policy: Policy, found: Findings) -> int:
    """Checks what the replayed policy has observed of each trial; returns the number of observations."""
    if policy.num_suggested != len(sweep.trials):
        found.add("policy", f"{policy.num_suggested} trials are observed, but the journal has {len(sweep.trials)}")
        return policy.num_suggested
    rungs = frozenset(rung_epochs(spec.epochs.min, spec.epochs.max, spec.early_stopping.reduction_factor))
    sign = -1.0 if sweep.mode == "max" else 1.0
    for trial in sweep.trials.values():
        expected = expected_observation(sweep, trial, rungs)
        seen = policy.observed(trial.number)
        observed = (seen.bad, seen.level, sign * seen.loss if seen.level else math.nan)
        if expected[:2] != observed[:2] or (expected[1] and expected[2] != observed[2]):
            told = "bad {}, level {}, value {}"
            found.add(
                "policy",
                f"trial {trial.number} is observed as {told.format(*observed)}, but is {told.format(*expected)}",
            )
    return policy.num_suggested


def expected_observation(sweep: Sweep, trial: Trial, rungs: frozenset[int]) -> tuple[bool, int, float]:
    """Whether a trial is bad, the last rung (or last epoch) that it reached, and its best value up to there."""
    level, value, best, bad = 0, math.nan, math.nan, trial.outcome in UNUSABLE
    for epoch in trial.epochs:
        at_epoch = sweep.value(epoch)
        if not math.isfinite(at_epoch):
            bad = True
            continue
        is_best = math.isnan(best) or takes_last(sweep.spec) or is_better(at_epoch, best, sweep.mode)
        best = at_epoch if is_best else best
        if epoch.epoch in rungs or epoch.epoch >= trial.epochs_max:
            level, value = epoch.epoch, best
    if trial.outcome in ("plateaued", "completed") and not bad and not math.isnan(best):
        level, value = trial.epochs_trained, best
    return bad, level, value


def check_best(sweep: Sweep, found: Findings) -> None:
    """Checks the best trial, and each trial's best epoch, against all epochs."""
    usable: dict[int, float] = {}
    for trial in sweep.trials.values():
        value, best_epoch = _best_epoch(sweep, trial)
        if trial.best_epoch != best_epoch or (best_epoch and trial.best_value != value):
            was = f"epoch {trial.best_epoch} with {trial.best_value}"
            found.add("best", f"trial {trial.number}'s best is {was}, but epoch {best_epoch} has {value}")
        if best_epoch and trial.outcome not in UNUSABLE:
            usable[trial.number] = value
    best = None if sweep.best is None else (sweep.best.number, sweep.best.best_value)
    if best is None or not usable:
        if best is not None or usable:
            found.add("best", f"the best trial is {best}, but {len(usable)} trials have a usable value")
        return
    value = (max if sweep.mode == "max" else min)(usable.values())
    if usable.get(best[0]) != value or best[1] != value:
        found.add("best", f"the best is trial {best[0]} with {best[1]}, but {value} was reached")


def _best_epoch(sweep: Sweep, trial: Trial) -> tuple[float, int]:
    """The best finite value of all epochs, and the first epoch that reached it; or the last, as the spec says."""
    best, at_epoch = math.nan, 0
    for epoch in trial.epochs:
        value = sweep.value(epoch)
        is_best = not at_epoch or takes_last(sweep.spec) or is_better(value, best, sweep.mode)
        if math.isfinite(value) and is_best:
            best, at_epoch = value, epoch.epoch
    return best, at_epoch
