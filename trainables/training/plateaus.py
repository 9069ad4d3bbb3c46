"""The rule of the schedule `plateau` in a trial: its state is part of how far the trial is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainables.schedules.plateau import Plateau, begin
from trainables.training.checkpoint import CheckpointError, Progress


def plateau_of(progress: Progress, params: Any) -> Plateau | None:
    """What the rule knows so far; None where the trial's schedule is another one.

    Raises:
        CheckpointError: what was kept of it is not whole.
    """
    first = begin(params)
    if first is None or not progress.plateau:
        return first
    try:
        return Plateau.from_dict(progress.plateau)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"must be a whole checkpoint, but its plateau cannot be read: {error}") from error


def keep_plateau(progress: Progress, params: Any, metrics: Mapping[str, float]) -> None:
    """Lets the rule see the metrics of the epoch that `progress` has come to.

    Raises:
        ValueError: the model's validation reports no loss.
    """
    rule = plateau_of(progress, params)
    if rule is None:
        return
    if "val_loss" not in metrics:
        raise ValueError("the schedule plateau needs val_loss, but the model's own test_step reports none")
    progress.plateau = rule.after(progress.epoch, metrics["val_loss"], params).to_dict()
