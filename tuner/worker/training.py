"""A process that trains: trial after trial, with TensorFlow, the data and compiled models kept between them."""

from __future__ import annotations

import faulthandler
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainables.cards import card_names
from trainables.contract import Data, DataError
from trainables.exceptions import CheckpointError
from trainables.process import set_up_process
from trainables.scripts.forker import Forker
from trainables.scripts.launching import Script
from trainables.scripts.trainer import ScriptTrainer
from tuner.base.errors import ForeignFileError, StorageError, TooLargeError
from tuner.base.patience import Watch
from tuner.engine.deaths import LOADING_S
from tuner.engine.failures import DataFault, breaks_process, error_line, failure_of, with_parts
from tuner.engine.messages import (
    Assignment,
    Failure,
    Loss,
    Report,
    SavedCheckpoint,
    TrainedEpoch,
)
from tuner.engine.settings import WorkerSettings
from tuner.inspection.workplace import load_instance, with_data
from tuner.storage import SweepFolder, read_bytes
from tuner.sweep import objective_value
from tuner.worker import gpus
from tuner.worker.memory import Memory
from tuner.worker.printed import Printed
from tuner.worker.sampling import Sampler
from tuner.worker.saver import CheckpointSaver

REPORT_EVERY_S = 0.25
"""Short epochs are reported together: a report takes the driver milliseconds, during which the worker waits."""
CHECKPOINT_EVERY_S = 0.5
CHECKPOINT_SHARE = 0.02
"""Checkpoints are written so seldom that they take at most this share of the time."""
OFTEN_SHARE = 0.1
"""Of the time that a script waits for its checkpoint to be written, as its next report may be hours away."""
CHECKPOINT_EVERY_MAX_S = 300.0
"""The longest interval, even if a write took long."""
LONGEST_S = 1e9
"""The timer accepts at most 292 years, so longer timeouts are cut to this."""


@dataclass(frozen=True)
class Place:
    """Where a process trains."""

    node: str
    """The node's address."""
    gpus: tuple[str, ...] = ()
    memory_bytes: float | None = None
    """Its slot's share of the node's memory; None if the node does not say."""
    printed: str = ""
    """The path of the `printed.Mark` that outlives the process; empty for none."""


class Training:
    """Runs trials in this process. A user's exception is a result, not an error.

    Args:
        data: as they were handed over; None to load them here.
        forker: forks the processes of loops that use Keras.
    """

    def __init__(self, settings: WorkerSettings, data: Data | None, place: Place, forker: Forker | None = None) -> None:
        self._settings, self._data, self._place, self._forker = settings, data, place, forker
        for name, value in settings.environment.items():
            os.environ.setdefault(name, value)
        os.environ.update(gpus.environment(settings.slot.gpus))
        self._folder = SweepFolder.at(settings.sweep)
        self._saver = CheckpointSaver(self._folder)
        self._memory = Memory(settings.memory_bytes or place.memory_bytes)
        self._printed = Printed(self._folder, place.printed)
        self._trainer: Any = None
        self._sampler = Sampler(place.gpus) if settings.samples_system else None
        self._cards: tuple[str, ...] | None = None
        self._is_broken = False

    def take(self, assignment: Assignment) -> None:
        """Takes the next trial."""
        self._assignment = assignment
        self._has_started, self._passed_over = False, list[str]()
        self._watch: Watch | None = None
        self._has_plateaued = False
        self._saved_at = time.monotonic()
        self._best_written, self._must_arrive, self._saved_epoch = 0, False, 0
        self._saver.begin_trial()
        self._printed.begin(assignment.trial)
        if self._sampler is not None:
            self._sampler.begin_trial()

    def step(self) -> Report:
        """Trains until the policy must be asked, or for REPORT_EVERY_S if epochs are short.

        A process's first report only says that it is ready; from then on an epoch's time limit holds. One that says
        that the process has retired is its last.
        """
        if self._memory.is_outgrown:
            return self._retired(f"it holds {self._memory.used_bytes / 2**20:.0f} MiB")
        if self._is_broken:
            return self._retired("TensorFlow failed in it, or it had no memory left")
        return self._train()

    def _retired(self, why: str) -> Report:
        """The process is replaced by a fresh one, in which its trial continues."""
        loss = Loss("retired", f"its worker made room for a fresh process: {why}")
        return Report(**self._whose(), started_at_epoch=None, loss=loss)

    def _whose(self) -> dict[str, Any]:
        return {
            "trial": self._assignment.trial,
            "attempt": self._assignment.attempt,
            "node": self._place.node,
            "pid": os.getpid(),
            "gpus": self._place.gpus,
        }

    def _train(self) -> Report:
        epochs: list[TrainedEpoch] = []
        checkpoints: list[SavedCheckpoint] = []
        notes: list[str] = []
        first_epoch = failure = None
        goes_on, examples = False, 0
        try:
            checkpoints += self._late_checkpoints(notes)
            if self._trainer is None:
                self._load(notes)
                goes_on = True
            else:
                if not self._has_started:
                    first_epoch = self._start(notes)
                    self._has_started = True
                    examples = getattr(self._trainer, "epoch_examples", 0)  # after an error no trial is running
                goes_on = not self._train_epochs(epochs)
                notes += self._trainer.take_notes()
                checkpoints += self._saver.taken(self._patience_s(epochs))
        except BaseException as error:  # KeyboardInterrupt and SystemExit of user code, too: Ctrl-C does not get here
            at_once = getattr(self._trainer, "at_once", None)
            is_in_parts = self._assignment.micro_batch_size is not None
            failure, goes_on = with_parts(failure_of(error), error, at_once, is_in_parts), False
            checkpoints += self._newest_of_failed(notes)
            self._is_broken = breaks_process(error)
        may_end = failure is not None or self._may_end(epochs)
        self._printed.copy(is_last=may_end)
        return Report(
            **self._whose(),
            started_at_epoch=first_epoch,
            epochs=tuple(epochs),
            checkpoints=tuple(checkpoints),
            failure=failure,
            passed_over=tuple(self._passed_over),
            notes=tuple(notes),
            ended=self._ended(failure),
            is_whole=bool(self._ended(failure)) and self._trainer.is_whole,
            used=self._used(first_epoch),
            jit_compile=None if first_epoch is None else getattr(self._trainer, "jit_compile", None),
            gpu_names=() if first_epoch is None else self._gpu_names(),
            examples=examples,
            logged=self._trainer.take_logged() if self._has_started else {},
            system=() if self._sampler is None else self._sampler.taken(may_end),
            goes_on=goes_on,
            warnings=self._printed.take_warnings(),
        )

    def _may_end(self, epochs: list[TrainedEpoch]) -> bool:
        """Whether this report may be the last one of the trial."""
        last = epochs[-1].epoch if epochs else 0
        is_over = self._has_started and (bool(self._trainer.stopped) or self._has_plateaued)
        return is_over or last >= self._assignment.epochs_max or last in self._assignment.judged_at

    def _ended(self, failure: Failure | None) -> str:
        """Why the trial has ended itself, if it has."""
        is_its_own = self._has_started and self._trainer is not None and failure is None
        return str(self._trainer.stopped) if is_its_own else ""

    def _used(self, first_epoch: int | None) -> dict[str, int | float]:
        """With an attempt's first report, the training parameters as they are really used."""
        return {} if first_epoch is None else dict(self._trainer.used)

    def _gpu_names(self) -> tuple[str, ...]:
        """What cards the process has; asked once."""
        if self._cards is None:
            self._cards = card_names(self._place.gpus) if self._place.gpus else ()
        return self._cards

    def _train_epochs(self, epochs: list[TrainedEpoch]) -> bool:
        """Adds each trained epoch to `epochs`, so that those before a failing one are reported.

        Returns:
            Whether somebody must be asked before the next one.
        """
        until = time.monotonic() + REPORT_EVERY_S
        while True:
            with self._watched():
                result = self._trainer.train_epoch()
            if result is None:  # a script has ended by itself
                self._save_what_is_due(waits=True)
                return True
            epochs.append(TrainedEpoch(result.epoch, result.metrics, result.epoch_s))
            value = objective_value(result.metrics, self._settings.metric)
            self._has_plateaued = self._watch is not None and bool(self._watch.take(result.epoch, value))
            waits = (
                self._has_plateaued
                or result.epoch in self._assignment.judged_at
                or result.epoch >= self._assignment.epochs_max
                or bool(self._trainer.stopped)
            )
            self._memory.look()
            self._save_what_is_due(waits)
            if waits or not math.isfinite(value) or self._memory.is_outgrown:
                return True
            if time.monotonic() >= until:
                return False

    def _late_checkpoints(self, notes: list[str]) -> list[SavedCheckpoint]:
        """Checkpoints that were being written at the last report; one of the previous trial cannot fail this one."""
        try:
            return self._saver.taken()
        except StorageError:
            raise
        except Exception as error:
            if self._has_started:
                raise
            notes.append(f"a checkpoint of the worker's trial before could not be made: {error_line(error)}")
            return []

    def _load(self, notes: list[str]) -> None:
        self._enter_work_folder(notes)
        with self._watched(LOADING_S):
            self._trainer = _make_trainer(self._settings, self._data, self._forker, notes)
        self._data = None

    def _enter_work_folder(self, notes: list[str]) -> None:
        """Relative paths in the trainable's code begin where its spec lies."""
        if not (folder := self._settings.work_folder):
            return
        try:
            os.chdir(folder)
        except OSError as error:
            notes.append(f"{folder}: relative paths do not begin there on this node: {error.strerror}")

    def _start(self, notes: list[str]) -> int:
        """Prepares the trial, from its newest readable checkpoint if there is one; the epoch that it continues from."""
        self._enter_work_folder([])  # the user's code may have left it
        assignment = self._assignment
        self._trainer.place(self._callback_files(), assignment.trial)
        self._trainer.parts_max = assignment.micro_batch_size
        for path in assignment.checkpoints:
            try:
                with self._watched():
                    self._trainer.start(assignment.params, assignment.seed, partial(self._read, path))
                break
            except (CheckpointError, FileNotFoundError, ForeignFileError, TooLargeError) as error:
                notes.append(f"passed over checkpoint {path}: {error_line(error)}")
                self._passed_over.append(path)
        else:
            with self._watched():
                self._trainer.start(assignment.params, assignment.seed)
        if assignment.checkpoints and not self._trainer.epoch:
            notes.append("no checkpoint could be read: it starts anew")
        self._saved_at, self._saved_epoch = time.monotonic(), self._trainer.epoch
        self._watch = assignment.watch(self._trainer.epoch, self._settings.mode)
        notes += self._trainer.take_notes()
        return int(self._trainer.epoch)

    def _callback_files(self) -> str | None:
        """The trial's own folder for what its callbacks write; None where the sweep lies in an object store."""
        return None if self._folder.is_remote else str(self._folder.callback_files(self._assignment.trial))

    def _read(self, path: str, bytes_max: int) -> bytes:
        """Reads a checkpoint without the epoch's time limit: the storage has limits of its own."""
        faulthandler.cancel_dump_traceback_later()
        data = read_bytes(self._folder.named(path), self._folder.base, bytes_max=bytes_max)
        _watch(self._settings.trial_timeout_s)
        return data

    def _save_what_is_due(self, waits: bool) -> None:
        """Saves a full checkpoint if enough time has passed, and the best weights if the trial may end now."""
        trainer, assignment = self._trainer, self._assignment
        every_s = min(max(CHECKPOINT_EVERY_S, self._saver.write_s / CHECKPOINT_SHARE), CHECKPOINT_EVERY_MAX_S)
        every_s = CHECKPOINT_EVERY_S if trainer.saves_often else every_s
        is_due = not self._saver.is_busy and time.monotonic() - self._saved_at >= every_s
        is_due &= trainer.snapshot_epoch > self._saved_epoch
        if trainer.epoch < assignment.epochs_max and not trainer.stopped and (is_due or self._memory.is_outgrown):
            self._save_full()
        is_new = trainer.best_epoch != self._best_written
        if waits and is_new and assignment.wants_weights(trainer.best_value, self._settings.mode):
            saved = self._checkpoint("best")
            self._saver.save(saved, trainer.best_snapshot())
            self._best_written, self._must_arrive = trainer.best_epoch, True
            self._saver.add_test(saved, trainer.test_metrics())

    def _save_full(self) -> None:
        self._saver.save(self._checkpoint("full"), self._trainer.snapshot())
        self._saved_at, self._saved_epoch = time.monotonic(), self._trainer.snapshot_epoch

    def _newest_of_failed(self, notes: list[str]) -> list[SavedCheckpoint]:
        """The newest checkpoint that a script reported before it failed, from which its next attempt continues."""
        trainer = self._trainer
        if not (self._has_started and trainer.saves_often and trainer.snapshot_epoch > self._saved_epoch):
            return []
        try:
            self._save_full()
            return self._saver.taken(None)
        except Exception as error:
            notes.append(f"its newest checkpoint could not be kept: {error_line(error)}")
            return []

    def _checkpoint(self, kind: str) -> SavedCheckpoint:
        trial, attempt, trainer = self._assignment.trial, self._assignment.attempt, self._trainer
        epoch = trainer.snapshot_epoch if kind == "full" else trainer.epoch
        path = self._folder.checkpoint(trial, attempt, epoch, kind, trainer.suffix)
        return SavedCheckpoint(trial, epoch, path, self._trainer.best_epoch, kind)

    def _patience_s(self, epochs: list[TrainedEpoch]) -> float | None:
        """How long a report waits for checkpoints being written; None: for good, as they may be the trial's last."""
        if self._must_arrive or self._memory.is_outgrown:
            self._must_arrive = False
            return None
        share = OFTEN_SHARE if self._trainer.saves_often else CHECKPOINT_SHARE
        return share * sum(epoch.epoch_s for epoch in epochs)

    @contextmanager
    def _watched(self, more_s: float = 0.0) -> Iterator[None]:
        """Ends the process if the block takes too long, even while C code holds the GIL; its stacks go to Ray's log."""
        _watch(self._settings.trial_timeout_s, more_s)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


def _watch(timeout_s: float | None, more_s: float = 0.0) -> None:
    if timeout_s is not None:
        faulthandler.dump_traceback_later(min(timeout_s + more_s, LONGEST_S), exit=True)


def _make_trainer(settings: WorkerSettings, data: Data | None, forker: Forker | None, notes: list[str]) -> Any:
    """As the sweep needs it: of scripts, or of Keras models."""
    if settings.is_script:
        script, keep = _script(settings), SweepFolder.at(settings.sweep).keep_logged
        return ScriptTrainer(script, settings.metric, settings.mode, forker, settings.takes_last, keep)
    return _make_keras_trainer(settings, data, notes)


def _script(settings: WorkerSettings) -> Script:
    folder = [settings.import_folder] if settings.import_folder else []
    return Script(
        trainable=settings.trainable,
        command=settings.command,
        sources=settings.sources,
        paths=(*folder, *filter(os.path.isabs, sys.path)),
        threads=settings.slot.threads,
        work_folder=settings.work_folder,
    )


def _make_keras_trainer(settings: WorkerSettings, data: Data | None, notes: list[str]) -> Any:
    """Imports TensorFlow, on as many threads and as much of the GPUs as the trial has, and everything that needs it."""
    set_up_process(settings.slot.threads, settings.deterministic)
    devices = _gpus(settings.slot.gpus, notes)
    from trainables.training import make_trainer

    trainable = load_instance(settings)
    try:
        return make_trainer(
            trainable,
            with_data(trainable, data, settings.learned),
            settings.metric,
            settings.mode,
            precision=settings.precision,
            devices=devices,
            jit_compile=settings.jit_compile,
            folds=settings.folds,
            folds_seed=settings.folds_seed,
            takes_last=settings.takes_last,
        )
    except DataError as error:
        raise DataFault(str(error)) from error


def _gpus(count: float, notes: list[str]) -> list[str]:
    """Limits TensorFlow to the trial's part of the GPUs; the names of those that it has."""
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    if len(cards) < math.ceil(count):
        trains_on = f"those {len(cards)}" if cards else "the CPU"
        notes.append(f"it has {count:g} GPUs, but TensorFlow sees {len(cards)}: it trains on {trains_on}")
    limit_mb = gpus.memory_limit_mb(count) if cards else None
    for card in cards:
        if limit_mb is None:
            tf.config.experimental.set_memory_growth(card, True)
        else:
            tf.config.set_logical_device_configuration(card, [tf.config.LogicalDeviceConfiguration(limit_mb)])
    return [device.name for device in tf.config.list_logical_devices("GPU")] if cards else []
