"""The results of commands as plain data, with the keys of `--json`, which are a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.base.coupling import SCALED, scaled_rate
from tuner.base.errors import UsageError

if TYPE_CHECKING:
    from tuner.review.explain import Explanation, Judgement, Reached
    from tuner.review.verification import Verification
    from tuner.sweep import Sweep


def verification_data(sweep: str, verified: Verification) -> dict[str, Any]:
    """What `tuner verify --json` prints."""
    data: dict[str, Any] = {
        "sweep": sweep,
        "ok": verified.ok,
        "counts": dict(verified.counts),
        "findings": [
            {"invariant": found.invariant, "kind": found.kind, "message": found.message, "times": found.times}
            for found in verified.findings
        ],
        "skipped": dict(verified.skipped),
    }
    return {**data, "notes": list(verified.notes)} if verified.notes else data


def trial_number(sweep: Sweep, trial: str | int) -> int:
    """The number of an existing trial.

    Raises:
        UsageError: there is no such trial; the message has the nearest number.
    """
    text = str(trial)
    number = int(text) if text.isdecimal() and len(text) < 10 else -1
    if number in sweep.trials:
        return number
    last = len(sweep.trials) - 1
    there = f"its trials are 0 to {last}" if last >= 0 else "it has none yet"
    nearest = f"; did you mean {last}?" if number > last >= 0 else ""
    raise UsageError(f"sweep {sweep.name} has no trial {trial!r}: {there}{nearest}")


def explanation_data(sweep: Sweep, found: Explanation) -> dict[str, Any]:
    """What `tuner explain --json` prints."""
    data: dict[str, Any] = {
        "sweep": sweep.name,
        "trial": found.trial,
        "params": found.params,
        "metric": sweep.metric,
        "mode": sweep.mode,
        "suggestion": {
            "origin": found.origin,
            "why": found.why,
            "observed": found.num_observed,
            "running": found.num_running,
            "earlier": found.num_earlier,
            "good": [_reached(good) for good in found.good],
        },
        "rungs": [_rung(judgement) for judgement in found.judgements],
        "failures": [
            {"attempt": failed.attempt, "cause": failed.cause, "reason": failed.reason, "counts": failed.counts}
            for failed in found.failures
        ],
        "epochs": found.epochs,
        "epochs_max": found.epochs_max,
        "outcome": found.outcome or "unfinished",
        "reason": found.reason,
    }
    if (rate := scaled_rate(sweep.spec.get("space") or {}, found.params)) is not None:
        data[SCALED] = rate
    return {**data, "policies": list(found.policies)} if found.other_policies else data


def _reached(reached: Reached) -> dict[str, Any]:
    has_value = reached.epoch > 0
    return {"trial": reached.trial, "epoch": reached.epoch, "value": reached.value if has_value else None}


def _rung(judgement: Judgement) -> dict[str, Any]:
    return {
        "epoch": judgement.epoch,
        "rung": judgement.rung,
        "value": judgement.value,
        "cutoff": judgement.cutoff,
        "place": judgement.place,
        "of": judgement.size,
        "places": judgement.places,
        "goes_on": judgement.goes_on,
        "compared": [{"trial": other.trial, "value": other.value} for other in judgement.compared],
    }
