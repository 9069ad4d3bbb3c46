"""The single training path: compile, one epoch, evaluate, checkpoint, warm reuse."""

from trainables.training.checkpoint import CheckpointError, Snapshot
from trainables.training.metric_names import reported_metric_names
from trainables.training.restoring import restore_model
from trainables.training.trainer import EpochResult, WarmTrainer

__all__ = ["CheckpointError", "EpochResult", "Snapshot", "WarmTrainer", "reported_metric_names", "restore_model"]
