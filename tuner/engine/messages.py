"""The messages between the driver and its workers. Plain values: no Ray, no Keras, and quickly imported."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tuner.base.outcomes import LossCause, WorkerCause
from tuner.base.patience import Patience, Watch
from tuner.base.words import Params
from tuner.sweep import Mode, is_better
from tuner.sweep.events import CheckpointSaved, Metrics, TrialStarted


@dataclass(frozen=True)
class Assignment:
    """One attempt at a trial, for a worker."""

    trial: int
    attempt: int
    params: Params
    seed: int
    epochs_max: int
    judged_at: frozenset[int]
    """Epochs after which the policy may stop the trial: the worker reports them and waits for the answer."""
    checkpoints: tuple[str, ...] = ()
    """Paths in the sweep's folder to continue from, newest first; empty: from the start."""
    keep_above: float | None = None
    """Weights with a worse best value than this will not be kept and need not be written; None: write all."""
    micro_batch_size: int | None = None
    """The most examples of a batch that are trained at once since memory ran out; None where it did not."""
    patience: Patience | None = None
    """When the trial has plateaued: the worker reports that epoch and waits for the answer."""
    values: tuple[tuple[int, float], ...] = ()
    """With a patience, the (epoch, objective) of the trial's epochs so far."""

    def watch(self, epoch: int, mode: Mode) -> Watch | None:
        """What looks for the trial's plateau after this epoch, from which an attempt continues; None for nothing."""
        if self.patience is None:
            return None
        watch = Watch(self.patience, mode)
        for reached, value in self.values:
            if reached <= epoch:
                watch.take(reached, value)
        return watch

    def wants_weights(self, best_value: float, mode: Mode) -> bool:
        """Whether the sweep may keep weights with this best value; of equal values it keeps the first."""
        if not math.isfinite(best_value):
            return False
        return self.keep_above is None or not is_better(self.keep_above, best_value, mode)


@dataclass(frozen=True)
class TrainedEpoch:
    """One validated epoch, from 1; seconds inside training and validation."""

    epoch: int
    metrics: Metrics
    epoch_s: float


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint on storage: a full one, or the best epoch's weights, with their test metrics if measured."""

    trial: int
    epoch: int
    path: str
    best_epoch: int
    kind: str = "full"
    test: Metrics = field(default_factory=dict)
    write_s: float = 0.0

    @property
    def event(self) -> CheckpointSaved:
        """Its event for the journal."""
        return CheckpointSaved(**{**vars(self), "write_s": round(self.write_s, 6)})


@dataclass(frozen=True)
class Failure:
    """Why a worker could not continue a trial. `cause`: error or memory; infeasible if its code said so; data, code or
    storage if no trial can."""

    cause: WorkerCause
    message: str
    traceback: str
    at_once: int = 0
    """With memory: how many examples were trained at once; 0 where fewer of them are no way out."""
    needs_whole: bool = False
    """With memory: the model cannot be trained in parts of a batch, as it was to be since memory ran out."""


@dataclass(frozen=True)
class Loss:
    """Why the process that trained is gone: its cause, a reason in one line, and what else is known, for the log."""

    cause: LossCause
    reason: str
    details: str = ""


@dataclass(frozen=True)
class Report:
    """What a worker did since its last report."""

    trial: int
    attempt: int
    node: str
    pid: int
    gpus: tuple[str, ...]
    started_at_epoch: int | None
    """In an attempt's first report, the epoch that it continues from; else None."""
    epochs: tuple[TrainedEpoch, ...] = ()
    checkpoints: tuple[SavedCheckpoint, ...] = ()
    """Those that reached storage since the last report, also of the worker's previous trial."""
    failure: Failure | None = None
    passed_over: tuple[str, ...] = ()
    """Checkpoints that could not be read when the attempt began."""
    notes: tuple[str, ...] = ()
    """Messages for the user, such as why a checkpoint was passed over."""
    ended: str = ""
    """Why the trial has ended itself after the last of the epochs (`model.stop_training`); empty while it goes on."""
    is_whole: bool = False
    """Whether what has ended itself is a whole training: a script that has done all that it does."""
    logged: dict[str, dict[str, str]] = field(default_factory=dict)
    """`params` and `tags` that a script has logged to MLflow since the last report."""
    used: dict[str, int | float] = field(default_factory=dict)
    """On an attempt's first report: learning_rate, batch_size and epochs as the training really uses them, where that
    is not for the trial's parameters to say."""
    jit_compile: bool | None = None
    """On an attempt's first report: whether XLA compiles the trial's steps; None where that was never a question."""
    gpu_names: tuple[str, ...] = ()
    """What cards `gpus` are; empty if unknown."""
    examples: int = 0
    """On an attempt's first report: how many training examples an epoch has; 0 if unknown."""
    system: tuple[dict[str, float], ...] = ()
    """What its node did since the last report: samples as `SystemSampled` has them."""
    goes_on: bool = False
    """Whether the process trains on without an answer, as nobody has to be asked before its next report."""
    warnings: tuple[str, ...] = ()
    """Of Keras and TensorFlow, which the process has printed for the first time."""
    loss: Loss | None = None
    """Set where the trial's process is gone, while the worker that had it stays."""

    def is_last(self, assignment: Assignment) -> bool:
        """Whether its trial is over for the process: it has had its last epoch, and nothing failed."""
        if self.failure is not None or self.loss is not None or self.trial != assignment.trial:
            return False
        return bool(self.ended) or bool(self.epochs and self.epochs[-1].epoch >= assignment.epochs_max)

    @property
    def started(self) -> TrialStarted | None:
        """The journal's event for an attempt's first report; None for later ones."""
        if self.started_at_epoch is None:
            return None
        return TrialStarted(
            trial=self.trial,
            attempt=self.attempt,
            node=self.node,
            pid=self.pid,
            gpus=list(self.gpus),
            epoch=self.started_at_epoch,
            passed_over=list(self.passed_over),
            used=self.used,
            jit_compile=self.jit_compile,
            gpu_names=list(self.gpu_names),
            examples=self.examples,
        )
