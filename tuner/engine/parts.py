"""How many examples of a batch a trial trains at once after memory ran out, and its process may have been killed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from trainables.counts import MICRO_BATCH_SIZE
from tuner.engine.retries import fewer_at_once
from tuner.sweep import Sweep, Trial

WHOLE = 0
"""As the journal's micro_batch_size: whole batches again, as the model cannot be trained in parts."""


def known_at_once(sweep: Sweep, trial: Trial) -> int:
    """How many examples a trial trains at once; 0 where that is not known, or where it cannot be fewer."""
    gpus = (sweep.spec.get("resources") or {}).get("gpus_per_trial") or 0
    if sweep.is_script or gpus > 1 or trial.micro_batch_size == WHOLE:
        return 0
    shown_as: Mapping[str, str] = sweep.spec.get("records") or {}
    batch_size = trial.used.get("batch_size") or trial.params.get(shown_as.get("batch_size", "batch_size"))
    measured = trial.epochs[-1].metrics.get(MICRO_BATCH_SIZE) if trial.epochs else None
    sizes = (batch_size, trial.params.get(MICRO_BATCH_SIZE), measured, trial.micro_batch_size)
    return min((int(size) for size in sizes if _is_count(size)), default=0) if _is_count(batch_size) else 0


def _is_count(size: object) -> TypeGuard[int | float]:
    return isinstance(size, int | float) and not isinstance(size, bool) and 1 <= size < 2**31


def fewer_after_error(trial: Trial, at_once: int) -> int | None:
    """How many examples are trained at once after memory ran out with `at_once`; None where it cannot be fewer."""
    return None if trial.micro_batch_size == WHOLE else fewer_at_once(at_once)


def is_in_parts_after_kill(trial: Trial) -> bool:
    """Whether it is a killed process that has made a trial's batches smaller parts, rather than an error in a batch."""
    last = trial.last_failure
    return bool(trial.micro_batch_size) and last is not None and last.micro_batch_size == trial.micro_batch_size


def whole_text(reason: str) -> str:
    """The reason of an attempt that could not train in parts, and is followed by one with whole batches."""
    return f"its batches are trained whole again: {reason}"
