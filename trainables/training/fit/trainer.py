"""The trainer of the fit path: a trial's epochs are calls of `keras.Model.fit`, one epoch each.

What a call depends on is the checkpoint and (seed, epoch) alone, so that a training goes on after a break as if there
had been none. Its callbacks see one training: see `TrialCallbacks`.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import Data, Trainable
from trainables.counts import with_counts
from trainables.epochs import EpochResult
from trainables.exceptions import PartsError, message_of
from trainables.isolation import isolated
from trainables.training.averages import averaged
from trainables.training.base import TrialTrainer
from trainables.training.checkpoint import (
    CheckpointError,
    Progress,
    Snapshot,
    bytes_max,
    read_checkpoint,
    read_extra,
)
from trainables.training.device import DeviceData
from trainables.training.evaluating import Evaluation
from trainables.training.fit.callback_files import go_on, place_files
from trainables.training.fit.callback_list import TrialCallbacks
from trainables.training.fit.callback_state import CallbackState
from trainables.training.fit.data import FitPart, fit_part, with_sample_weight
from trainables.training.fit.model import (
    compiled_model,
    schedule_of,
    state_variables,
    validate_averages,
    without_final_average,
)
from trainables.training.fit.options import FitOptionsError, fit_options, new_callbacks
from trainables.training.fit.rates import RateReader
from trainables.training.graphs import assign, new_model
from trainables.training.jit import JitCompile
from trainables.training.naming import first_names
from trainables.training.numbers import numbers
from trainables.training.parts import parts_of, train_step_in_parts
from trainables.training.pipeline_draws import begin_epoch, reproducible_draws
from trainables.training.plateaus import keep_plateau, plateau_of
from trainables.training.reads import valid_params, watched
from trainables.training.seeding import EpochSeeder
from trainables.training.shared import Shared

BATCH_SIZE = 32
"""Keras's own default."""
_CALLBACK_BYTES_MAX = 2**26
"""What callbacks may keep in a checkpoint besides copies of the model's weights."""


@dataclass(frozen=True)
class _Trial:
    """What the running trial trains, on what and how."""

    trainable: Trainable
    """The trial's own copy of it."""
    params: Any
    seed: int
    model: Any
    variables: list[Any]
    callbacks: TrialCallbacks
    train: FitPart
    validation: FitPart
    test: FitPart | None
    batch_size: int
    epochs: int
    first_epoch: int
    """What Keras calls the first epoch: 0, or the trainable's `initial_epoch`."""
    shuffle: bool
    validation_batch_size: int
    options: dict[str, Any]
    rates: RateReader
    parts: int | None
    """The most examples of a batch that are trained at once; None for all of them."""
    optimizer: Any
    """That it was compiled with at its start."""
    evaluation: Evaluation | None
    """What the trainable itself evaluates after each epoch."""


class FitTrainer(TrialTrainer[_Trial]):
    """Trains one trial after another through `fit`; the interface is `WarmTrainer`'s, and so are the arguments.

    Attributes:
        folder: where a trial's callbacks write files of relative paths; None for a temporary folder.
        trial: the trial's number, for files that lie elsewhere.
        parts_max: of the next trials, the most examples of a batch that are trained at once; None for no limit.
        at_once: how many examples the running trial trains at once; None where that is not known, or not yet.
        steps_max: of an epoch and of a validation, for a first look at a trial; None for all of them.
        stopped: why the trial ended itself; empty while it goes on.
        compiles: whether `build_model` has compiled the trial's model.
        jit: whether XLA compiles the steps of models that `build_model` does not compile; no step is timed here.
        used: learning_rate, batch_size and epochs as they are really used, where that can be told.
        notes: things worth a line for people.
    """

    def __init__(
        self,
        trainable: Trainable,
        data: Data,
        metric: str,
        mode: Literal["min", "max"],
        precision: str = "float32",
        devices: Sequence[str] = (),
        jit_compile: JitCompile = False,
        shared: Shared | None = None,
    ) -> None:
        shared = shared or Shared(DeviceData(room=0))  # `fit` reads batches from the host
        super().__init__(trainable, data, metric, mode, precision, shared)
        self.jit = jit_compile is True
        self._strategy = tf.distribute.MirroredStrategy(list(devices)) if len(devices) > 1 else None
        self._seeder = EpochSeeder()
        self._read: set[str] = set()
        self._temporary: str | None = None
        self._has_told = False
        self._has_averages = True
        self.compiles = False
        self.folder: str | None = None
        self.trial: int | str = 0
        self.stopped = ""
        self.steps_max: int | None = None
        self.parts_max: int | None = None
        self.at_once: int | None = None
        self.used: dict[str, int | float] = {}
        self.notes: list[str] = []

    @property
    def params_read(self) -> frozenset[str]:
        """The parameters that the trainable's code has read in this trial."""
        return frozenset(self._read)

    def start(
        self, params: dict[str, Any], seed: int, checkpoint: bytes | Callable[[int], bytes] | None = None
    ) -> None:
        """Makes ready for the first epoch of a trial, or for the one after its checkpoint.

        Raises:
            CheckpointError: the checkpoint cannot be read, or is of another model or of other callbacks.
            DataError: the trainable selects data that cannot be trained on.
            FitOptionsError: what the trainable says about `fit` cannot be followed.
            Exception: whatever the trainable's own code raises.
        """
        self._end_trial()
        gc.collect()  # models hold cycles, which Python may leave for long
        seed %= 2**32
        self.stopped, self._progress, self.at_once = "", Progress(), None
        valid, self._read = watched(valid_params(self._trainable, params))

        def begin(trainable: Trainable, data: Data) -> _Trial:
            self._seeder.begin_trial(seed, self._precision)
            with reproducible_draws(is_selection=True):
                selected = trainable.select_data(data, valid)
            return self._new_trial(trainable, params, seed, valid, selected)

        trial = isolated(self._trainable, self._data, begin)
        if checkpoint is not None:
            self._go_on(trial, checkpoint)
        self._trial = trial

    def _new_trial(self, trainable: Trainable, params: dict[str, Any], seed: int, valid: Any, data: Data) -> _Trial:
        options = fit_options(trainable, valid)
        said = fit_part(data.train, "training", self._device)
        with first_names(trainable), self.scope():
            model = new_model(trainable, valid, said.inputs)
            train, validation, test = (
                None if part is None else fit_part(part, name, self._device, model)
                for part, name in ((data.train, "training"), (data.validation, "validation"), (data.test, "test"))
            )
            assert train is not None and validation is not None
            batch_size = int(options.pop("batch_size", getattr(valid, "batch_size", BATCH_SIZE)))
            epochs = int(params.get("epochs", getattr(valid, "epochs", 1)))
            steps = options.get("steps_per_epoch") or train.steps(batch_size)
            self.compiles = bool(model.compiled)
            compiled_model(model, trainable, valid, steps, epochs, self.jit)
            if (weights := options.pop("sample_weight", None)) is not None:
                train = with_sample_weight(train, weights)
            train.end_epoch(seed, 0)
            variables = state_variables(model, train.first, self._strategy)
            parts = self._in_parts(model, valid, train, batch_size)
        without_final_average(model)
        shuffle = bool(options.pop("shuffle", True))
        validation_batch_size = int(options.pop("validation_batch_size", parts or batch_size))
        first_epoch = int(options.pop("initial_epoch", 0))
        callbacks = new_callbacks(trainable, valid)
        self._has_averages = not any(isinstance(callback, keras.callbacks.SwapEMAWeights) for callback in callbacks)
        if self._has_averages:
            validate_averages(model)
        placed = place_files(callbacks, self._files, self.trial)
        if placed and not self._has_told:
            self._has_told = True  # it is the same of each trial
            self.notes.append(f"each trial's callbacks write files of its own; this one's are {', '.join(placed)}")
        rates = RateReader(model)
        self.used = {**rates.at_begin(), "epochs": epochs}
        if not train.is_batched:
            self.used["batch_size"] = batch_size
        elif (size := _rows(train.first())) is not None:
            self.used["batch_size"] = size
        self.at_once = parts or int(self.used.get("batch_size") or 0) or None
        listed = TrialCallbacks(callbacks, model, first_epoch + epochs, steps, rates.after_step)
        return _Trial(
            trainable,
            valid, seed, model, variables, listed, train, validation, test, batch_size, epochs, first_epoch, shuffle,
            validation_batch_size, options, rates, parts, model.optimizer, Evaluation.of(trainable, data),
        )  # fmt: skip

    def _in_parts(self, model: Any, params: Any, train: FitPart, batch_size: int) -> int | None:
        """Lets the model train batches in parts where it must; the most examples of one, None for whole batches."""
        size = sys.maxsize if train.is_batched else batch_size
        parts = parts_of(size, getattr(params, "micro_batch_size", None), self.parts_max)
        if parts is None:
            return None
        if self._strategy is not None:
            raise PartsError("a batch cannot be trained in parts of micro_batch_size examples on several GPUs")
        train_step_in_parts(model, parts)
        return parts

    def scope(self) -> AbstractContextManager[Any]:
        """Where variables are made."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def _go_on(self, trial: _Trial, checkpoint: bytes | Callable[[int], bytes]) -> None:
        """Gives a new trial the state of its checkpoint."""
        num_model_variables = len(trial.model.variables)
        if not isinstance(checkpoint, bytes):
            model_bytes = bytes_max(trial.model.variables, 0)
            more = _CALLBACK_BYTES_MAX + 2 * model_bytes * len(trial.callbacks.callbacks)
            checkpoint = checkpoint(bytes_max(trial.variables, num_model_variables) + more)
        values, progress = read_checkpoint(checkpoint, trial.variables, num_model_variables)
        if progress.compiled_after:
            raise CheckpointError(
                f"its model was compiled anew after epoch {progress.compiled_after}, which no checkpoint brings back"
            )
        self._progress = progress
        assign(trial.variables, values)
        try:
            state = CallbackState.from_arrays(read_extra(checkpoint))
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error
        if self._progress.epoch:
            for epoch in range(1, self._progress.epoch + 1):
                trial.train.end_epoch(trial.seed, epoch)
            go_on(trial.callbacks.callbacks, trial.first_epoch + self._progress.epoch)
            trial.callbacks.restore(state)

    @property
    def epoch_examples(self) -> int:
        """How many training examples an epoch has; 0 where batches or their number are not known."""
        trial = self._running()
        size = int(self.used.get("batch_size") or 0)
        return trial.train.epoch_examples(size, self.steps_max or trial.options.get("steps_per_epoch"))

    def train_epoch(self) -> EpochResult:
        """Trains and validates the trial's next epoch."""
        trial = self._running()
        if self.stopped:
            raise RuntimeError(f"the trial has ended itself: {self.stopped}")
        self._trial = None  # until the epoch is whole
        epoch = self._progress.epoch + 1
        begin_epoch(trial.seed, epoch)
        self._seeder.begin_epoch(trial.seed, epoch)
        schedule = None if self.compiles else schedule_of(trial.model)
        if schedule is not None and (rule := plateau_of(self._progress, trial.params)) is not None:
            schedule.set_rate(rule.rate)
        trial.rates.begin_epoch()
        began_s = time.perf_counter()
        with first_names(trial.trainable):  # of metrics given as text, which Keras makes in the first step
            self._fit(trial, epoch)
        trial.train.end_epoch(trial.seed, epoch)
        metrics = _numbers(trial.callbacks.logs)
        validated = {name: value for name, value in metrics.items() if name.startswith("val_")}
        if not validated and not getattr(trial.model, "validates_itself", False):
            validated = self._progress.validated or self._validated(trial)
        own = {}
        if trial.evaluation is not None:
            with averaged(trial.model) if self._has_averages else nullcontext():
                own = trial.evaluation.after_epoch(trial.model, trial.variables, {*metrics, *validated})
        epoch_s = time.perf_counter() - began_s
        self._progress.validated = validated
        metrics |= validated | own | trial.rates.of_epoch() | {"epoch_s": epoch_s}
        self._trial, self._progress.epoch = trial, epoch
        metrics = self._counted(trial, metrics)
        if trial.model.optimizer is not trial.optimizer:
            self._progress.compiled_after = self._progress.compiled_after or epoch
        if schedule is not None:
            keep_plateau(self._progress, trial.params, metrics)
        metrics = self._judged(metrics, trial.model)
        if trial.model.stop_training:
            by = trial.callbacks.stopped_by or "model.stop_training"
            self.stopped = f"{by} ended it after epoch {epoch}"
        if self.stopped or epoch >= trial.epochs:
            trial.callbacks.finish()
        return EpochResult(epoch, metrics, epoch_s)

    def _counted(self, trial: _Trial, metrics: dict[str, float]) -> dict[str, float]:
        """An epoch's metrics with its counts. Where the data come in batches, each counts as many as the first one."""
        steps, before = trial.callbacks.batches, self._progress.epoch - 1
        size = int(self.used.get("batch_size") or 0)
        samples = steps * size
        if not trial.train.is_batched:
            samples = min(samples, int(trial.train.source.num_examples))
        if not self._progress.steps:  # a checkpoint of an earlier version has none
            self._progress.steps, self._progress.samples = before * steps, before * samples
        self._progress.steps += steps
        self._progress.samples += samples
        so_far = self._progress.steps, self._progress.samples if size else None
        return with_counts(metrics, *so_far, steps, trial.parts)

    def _fit(self, trial: _Trial, epoch: int) -> None:
        """One epoch, from 1, of `fit`, or of the trainable's own."""
        before = trial.first_epoch + epoch - 1
        arguments = {
            "x": trial.train.training(
                trial.batch_size, trial.seed, epoch, trial.options.get("steps_per_epoch"), trial.shuffle
            ),
            "validation_data": trial.validation.validation(trial.validation_batch_size),
            "initial_epoch": before,
            "epochs": before + 1,
            "callbacks": trial.callbacks,
            "verbose": 0,
            "shuffle": False,
            **trial.options,
        }
        if self.steps_max is not None:
            arguments |= {"steps_per_epoch": self.steps_max, "validation_steps": self.steps_max}
        self._run_fit(trial, arguments)

    def _run_fit(self, trial: _Trial, arguments: dict[str, Any]) -> None:
        own = getattr(trial.trainable, "fit", None)
        if own is not None:
            own(trial.params, trial.model, **arguments)
        else:
            trial.model.fit(**arguments)
        if not trial.callbacks.logs:
            raise FitOptionsError("fit trained no epoch: it must call model.fit with the arguments that it was given")

    def _validated(self, trial: _Trial) -> dict[str, float]:
        """A validation that `validation_freq` left out, of the first epochs: the objective needs a value."""
        return {f"val_{name}": value for name, value in self._evaluated(trial, trial.validation).items()}

    def _evaluated(self, trial: _Trial, part: FitPart) -> dict[str, float]:
        batches = part.validation(trial.validation_batch_size)
        steps = trial.options.get("validation_steps") if part is trial.validation else None
        # Not the model's `evaluate` for test data: the best weights, which are there then, are averages already.
        evaluate = (
            trial.model.evaluate if part is trial.validation else partial(type(trial.model).evaluate, trial.model)
        )
        return _numbers(evaluate(batches, steps=steps, verbose=0, return_dict=True))

    def _best_values(self, model: Any) -> list[Any]:
        return super()._best_values(model) if self._has_averages else [variable.numpy() for variable in model.variables]

    def snapshot(self) -> Snapshot:
        """The trial as it stands, the state of its callbacks included.

        Raises:
            KeptStateError: a callback holds what cannot be kept.
        """
        trial = self._running()
        values = [variable.numpy() for variable in trial.variables]
        return Snapshot(values, replace(self._progress), trial.callbacks.state().to_arrays())

    def test_metrics(self) -> dict[str, float]:
        """`test_loss` and `test_<metric>` of the best epoch's weights; empty without test data or a best epoch."""
        trial = self._running()
        if trial.test is None or self.best_epoch == 0:
            return {}
        current = [variable.numpy() for variable in trial.model.variables]
        is_stopped = trial.model.stop_training
        try:
            assign(trial.model.variables, self._progress.best_values)
            metrics = {f"test_{name}": value for name, value in self._evaluated(trial, trial.test).items()}
            if trial.evaluation is not None:
                self._seeder.begin_epoch(trial.seed, self.best_epoch)
                metrics |= trial.evaluation.of_test(trial.model, trial.variables)
            return metrics
        finally:
            assign(trial.model.variables, current)
            trial.model.stop_training = is_stopped

    @property
    def model(self) -> Any:
        return self._running().model

    def _new_model(self, trainable: Trainable, trial: _Trial) -> keras.Model:
        return new_model(trainable, trial.params, trial.train.inputs)

    def end(self) -> None:
        """Ends the trial, and removes what its callbacks wrote to a temporary folder."""
        self._end_trial()

    def _end_trial(self) -> None:
        """Lets the callbacks of a trial that was stopped close what they opened."""
        trial, self._trial = self._trial, None
        if trial is not None:
            try:
                trial.callbacks.finish()
            except Exception as error:  # the next trial is not to blame for it
                self.notes.append(f"a callback's on_train_end raised {type(error).__name__}: {message_of(error)}")
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def _files(self) -> str:
        if self.folder is not None:
            return self.folder
        self._temporary = self._temporary or tempfile.mkdtemp(prefix="tuner-callbacks-")
        return self._temporary


def _rows(batch: Any) -> int | None:
    """The examples of a batch."""
    shape = np.shape(tf.nest.flatten(batch)[0])
    return int(shape[0]) if shape else None


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    """The metrics of an epoch as numbers; what callbacks add that is none is left out."""
    numeric = {name: value for name, value in logs.items() if not isinstance(value, str | bytes | None)}
    return {name: float(value) for name, value in numbers(numeric).items()}
