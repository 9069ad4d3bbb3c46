"""The single training path: compile, one epoch, evaluate, checkpoint, warm reuse."""

from trainables.training.checkpoint import CheckpointError, Snapshot
from trainables.training.kept import kept_model
from trainables.training.reported import reported_metrics
from trainables.training.trainer import EpochResult, WarmTrainer

__all__ = ["CheckpointError", "EpochResult", "Snapshot", "WarmTrainer", "kept_model", "reported_metrics"]
