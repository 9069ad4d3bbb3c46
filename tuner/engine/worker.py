"""The worker: one process that trains trial after trial and keeps TensorFlow, the data and compiled models."""

from __future__ import annotations

import math
import os
import time
import traceback
from pathlib import Path
from typing import Any

import ray
from ray import tune

from trainables.contract import Data, DataError
from tuner.engine.messages import Assignment, Failure, Report, SavedCheckpoint, TrainedEpoch, WorkerSettings
from tuner.paths import SweepFolder
from tuner.sweep import objective_value

REPORT_EVERY_S = 0.25
"""Short epochs are reported together; a report costs about 20 ms of the driver and the worker's wait."""
CHECKPOINT_EVERY_S = 1.0
CHECKPOINT_SHARE = 0.02
"""Checkpoints are written so seldom that they cost at most this share of the time."""
CHECKPOINTS_KEPT = 2
"""Of a running trial; the older one serves if the newest is damaged."""


class KerasWorker(tune.Trainable):  # type: ignore[misc]
    """Tune's face of a warm worker. A user's exception is a result, not an error: Tune's own retries are not used."""

    def setup(self, config: dict[str, Any], settings: WorkerSettings | None = None, data: Data | None = None) -> None:
        assert settings is not None
        self._settings, self._data = settings, data
        self._trainer: Any = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Takes the next trial; only notes it, so that nothing can fail where Tune does not expect it."""
        self._assignment: Assignment = new_config["assignment"]
        self._has_started = False
        self._saved_at, self._save_s = time.monotonic(), 0.0
        self._saved: list[Path] = []
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Tune asks for none."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Tune has none."""

    def step(self) -> dict[str, Any]:
        return {"report": self._train()}

    def _train(self) -> Report:
        """Trains until the policy must be asked, or for a moment if epochs are short."""
        epochs: list[TrainedEpoch] = []
        checkpoints: list[SavedCheckpoint] = []
        notes: list[str] = []
        first_epoch = failure = None
        try:
            if not self._has_started:
                first_epoch = self._start(notes)
                self._has_started = True
            until = time.monotonic() + REPORT_EVERY_S
            while True:
                result = self._trainer.train_epoch()
                epochs.append(TrainedEpoch(result.epoch, result.metrics, result.epoch_s))
                waits = result.epoch in self._assignment.judged_at or result.epoch >= self._assignment.epochs_max
                if saved := self._save_if_due(waits):
                    checkpoints.append(saved)
                if (
                    waits
                    or not math.isfinite(objective_value(result.metrics, self._settings.metric))
                    or time.monotonic() >= until
                ):
                    break
        except Exception as error:
            failure = _failure(error)
        return Report(
            trial=self._assignment.trial,
            attempt=self._assignment.attempt,
            node=ray.util.get_node_ip_address(),
            pid=os.getpid(),
            gpus=tuple(str(gpu) for gpu in ray.get_gpu_ids()),
            started_at_epoch=first_epoch,
            epochs=tuple(epochs),
            checkpoints=tuple(checkpoints),
            failure=failure,
            notes=tuple(notes),
        )

    def _start(self, notes: list[str]) -> int:
        """Makes the trial ready, from its newest sound checkpoint if there is one; the epoch it goes on from."""
        if self._trainer is None:
            self._trainer = _make_trainer(self._settings, self._data)
            self._data = None
        from trainables.training import CheckpointError

        assignment = self._assignment
        for path in assignment.checkpoints:
            try:
                self._trainer.start(assignment.params, assignment.seed, Path(path))
                break
            except CheckpointError as error:
                notes.append(f"passed over a checkpoint: {error}")
        else:
            self._trainer.start(assignment.params, assignment.seed)
        self._saved_at = time.monotonic()
        return int(self._trainer.epoch)

    def _save_if_due(self, waits: bool) -> SavedCheckpoint | None:
        """A checkpoint when enough time has passed, or when the trial may end here with weights worth keeping."""
        now = time.monotonic()
        is_due = now - self._saved_at >= max(CHECKPOINT_EVERY_S, self._save_s / CHECKPOINT_SHARE)
        is_kept = waits and self._assignment.wants_weights(self._trainer.best_value, self._settings.mode)
        if not is_due and not is_kept:
            return None
        folder = SweepFolder(Path(self._settings.sweep_folder))
        epoch = self._trainer.epoch
        path = folder.checkpoint(self._assignment.trial, self._assignment.attempt, epoch)
        try:
            self._trainer.save(path)
        except OSError as error:
            raise _StorageFault(f"{path}: cannot be written: {error.strerror or error}") from error
        self._prune(path)
        self._saved_at = time.monotonic()
        self._save_s = self._saved_at - now
        return SavedCheckpoint(
            epoch=epoch,
            path=str(path.relative_to(folder.path)),
            best_epoch=self._trainer.best_epoch,
            test=self._trainer.test_metrics() if is_kept else {},
        )

    def _prune(self, newest: Path) -> None:
        """Keeps the newest checkpoints of this attempt; those of others are not its own to judge."""
        self._saved.append(newest)
        while len(self._saved) > CHECKPOINTS_KEPT:
            self._saved.pop(0).unlink(missing_ok=True)


class _StorageFault(Exception):
    """A checkpoint could not be written: the trial's code is not to blame."""


class _DataFault(Exception):
    """The data that all trials train on cannot be loaded."""


def _make_trainer(settings: WorkerSettings, data: Data | None) -> Any:
    """Imports TensorFlow, on as many threads and as much of a GPU as the trial has, and everything that needs it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    from trainables.training import WarmTrainer
    from tuner.inspection import load_trainable

    trainable = load_trainable(settings.trainable)(settings.data)
    try:
        return WarmTrainer(
            trainable, data or trainable.load_data(), settings.metric, settings.mode, precision=settings.precision
        )
    except DataError as error:
        raise _DataFault(str(error)) from error


def _failure(error: Exception) -> Failure:
    lines = [line for line in str(error).splitlines() if line.strip()]
    message = f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__
    details = "".join(traceback.format_exception(error))
    if isinstance(error, _StorageFault | _DataFault):
        return Failure("storage" if isinstance(error, _StorageFault) else "data", str(error), details)
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    return Failure("memory" if is_memory else "error", message[:500], details)
