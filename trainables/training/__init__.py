"""Training: one epoch at a time, on the fast path or through `fit`; checkpoints, warm reuse."""

from trainables.training.checkpoint import CheckpointError, Snapshot
from trainables.training.kept import kept_model
from trainables.training.path import Trainer, make_trainer, training_path
from trainables.training.reported import reported_metrics
from trainables.training.trainer import EpochResult, WarmTrainer

__all__ = [
    "CheckpointError",
    "EpochResult",
    "Snapshot",
    "Trainer",
    "WarmTrainer",
    "kept_model",
    "make_trainer",
    "reported_metrics",
    "training_path",
]
