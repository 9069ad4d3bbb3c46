"""Training: one epoch at a time, on the fast path or through `fit`; checkpoints, warm reuse."""

from trainables.epochs import EpochResult
from trainables.training.checkpoint import CheckpointError, Snapshot
from trainables.training.making import make_trainer
from trainables.training.metric_names import reported_metric_names
from trainables.training.path import Trainer, training_path
from trainables.training.restoring import restore_model
from trainables.training.trainer import WarmTrainer

__all__ = [
    "CheckpointError",
    "EpochResult",
    "Snapshot",
    "Trainer",
    "WarmTrainer",
    "make_trainer",
    "reported_metric_names",
    "restore_model",
    "training_path",
]
