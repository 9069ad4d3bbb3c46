"""The trainer of one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from trainables.contract import Data, Trainable
from trainables.folding import fold_data
from trainables.training.folds import FoldTrainer
from trainables.training.jit import JitCompile
from trainables.training.path import Trainer
from trainables.training.shared import Shared


def make_trainer(
    trainable: Trainable,
    data: Data,
    metric: str,
    mode: Literal["min", "max"],
    precision: str = "float32",
    devices: Sequence[str] = (),
    folds: int | None = None,
    folds_seed: int = 0,
    jit_compile: JitCompile = False,
    takes_last: bool = False,
) -> Trainer | FoldTrainer:
    """The trainer for trials of either path, cross-validated or not; other arguments as of `WarmTrainer`.

    Args:
        folds: into how many folds the data are divided; None for none but the trainable's own.
        folds_seed: decides which examples a fold has.
        takes_last: whether a trial's last epoch counts as its best one.

    Raises:
        DataError: the data cannot be divided so.
    """
    parts = fold_data(trainable, data, folds, folds_seed)
    if parts is None:
        shared = Shared(takes_last=True) if takes_last else None
        return Trainer(trainable, data, metric, mode, precision, devices, jit_compile, shared)
    return FoldTrainer(trainable, parts, metric, mode, precision, devices, jit_compile, takes_last)
