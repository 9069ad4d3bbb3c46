"""A worker's next attempt at a trial: from where, and with what it trains."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tuner.base.patience import Patience
from tuner.base.words import Params
from tuner.engine.messages import Assignment
from tuner.sweep import Trial

CHECKPOINTS_TRIED = 3
"""A retry continues from the newest readable one of so many checkpoints, or from the start."""


def assign(
    trial: Trial,
    sweep_seed: int,
    judged_at: frozenset[int],
    keep_above: float | None,
    patience: Patience | None = None,
    values: Iterable[tuple[int, float]] = (),
    params: Params | None = None,
) -> Assignment:
    """The next attempt at an unfinished trial.

    Args:
        judged_at: the epochs after which the policy may stop a trial.
        keep_above: what a trial's best value must beat for its weights to be kept; None: they are kept in any case.
        patience: when a trial has plateaued; None for never.
        values: the (epoch, objective) of its epochs so far, of use with a patience.
        params: as its training gets them, where they are not as they were suggested.
    """
    full = [saved for saved in trial.checkpoints if saved.kind == "full" and saved.epoch <= trial.epochs_trained]
    newest_first = sorted(reversed(full), key=lambda saved: -saved.epoch)
    return Assignment(
        trial=trial.number,
        attempt=trial.attempts + 1,
        params=trial.params if params is None else params,
        seed=training_seed(sweep_seed, trial.number),
        epochs_max=trial.epochs_max,
        judged_at=judged_at,
        checkpoints=tuple(saved.path for saved in newest_first[:CHECKPOINTS_TRIED]),
        keep_above=keep_above,
        micro_batch_size=trial.micro_batch_size or None,
        patience=patience,
        values=tuple(values) if patience is not None else (),
    )


def training_seed(sweep_seed: int, trial: int) -> int:
    """The seed of a trial's weights, shuffling and dropout: the same through retries, resumes and machines."""
    return int(np.random.SeedSequence([sweep_seed, trial]).generate_state(1)[0]) >> 1
