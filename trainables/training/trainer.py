"""The trainer of one worker process: trial after trial, one epoch at a time, warm."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras

from trainables.contract import Data, Params, Trainable
from trainables.counts import with_counts
from trainables.epochs import EpochResult
from trainables.isolation import isolated
from trainables.training.averages import averaged
from trainables.training.base import TrialTrainer
from trainables.training.cache import cache_key, jit_key
from trainables.training.checkpoint import Progress, Snapshot, bytes_max, read_checkpoint
from trainables.training.device import Split
from trainables.training.evaluating import Evaluation
from trainables.training.fixed_batch import check_fixed_batch, fixed_batch_size
from trainables.training.graphs import CompiledModel, new_model, whole_model
from trainables.training.jit import Choice, JitChoices, JitCompile
from trainables.training.naming import first_names
from trainables.training.parts import parts_of
from trainables.training.pipeline_draws import reproducible_draws
from trainables.training.plateaus import keep_plateau, plateau_of
from trainables.training.reads import valid_params
from trainables.training.recipe import Recipe
from trainables.training.replicas import Replicas
from trainables.training.shared import Shared
from trainables.training.values import value_of

_EVALUATION_FACTOR = 4
"""Evaluation keeps no activations for a backward pass, so it has room for larger batches than training."""

_GARBAGE_BYTES_MAX = 2**28


class CompiledModelError(Exception):
    """The trainable's model is compiled, so it trains through `keras.Model.fit`."""


@dataclass(frozen=True)
class _Trial:
    """What the running trial trains, and on what."""

    params: Params
    seed: int
    key: str
    compiled: CompiledModel
    train: Split
    validation: Split
    test: Split | None
    evaluation: Evaluation | None
    """What the trainable itself evaluates after each epoch."""
    recipe: Recipe

    @property
    def evaluation_size(self) -> int:
        """The most examples that are evaluated at once."""
        return (self.compiled.parts or self.params.batch_size) * _EVALUATION_FACTOR


class WarmTrainer(TrialTrainer[_Trial]):
    """Trains one trial after another, and keeps what they share: the data on the device and compiled models.

    A trial's results are those of a fresh process, bit for bit on a CPU, whatever was trained before.

    Args:
        metric: the objective, which decides which epoch is a trial's best.
        mode: whether more of it is better.
        precision: Keras's dtype policy.
        devices: TensorFlow's names of the devices that share each trial's batches; none for its own choice of one.
        jit_compile: whether XLA compiles a trial's steps; auto: where that is faster.

    Attributes:
        parts_max: of the next trials, the most examples of a batch that are trained at once; None for no limit.
        at_once: how many examples the running trial trains at once; None before its model is there.
        choice: what was found where a model's steps were timed for the running trial; else None.
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
        super().__init__(trainable, data, metric, mode, precision, shared)
        self._jit_compile = jit_compile
        self._choices = JitChoices(jit_compile, len(devices), self._shared.jit)
        self.choice: Choice | None = None
        self.parts_max: int | None = None
        self.at_once: int | None = None
        self._cache, self._seeder = self._shared.cache, self._shared.seeder
        self._replicas = Replicas(devices)
        self._parked: list[Any] | None = None
        self._traces = 0
        self._garbage_bytes = 0

    @property
    def traces(self) -> int:
        """How often an epoch's graph was traced in this process."""
        return self._traces

    @property
    def jit(self) -> bool:
        """Whether XLA compiles the trial's steps."""
        return self._running().compiled.jit

    @property
    def graphs(self) -> list[Any]:
        """The traced epochs of the trial: TensorFlow's concrete functions."""
        return self._running().compiled.graphs

    @property
    def hides_state(self) -> bool:
        """Whether the graphs hold state besides the model's variables, or draw random numbers of TensorFlow's own."""
        return not self._running().compiled.reusable

    def start(
        self, params: dict[str, Any], seed: int, checkpoint: bytes | Callable[[int], bytes] | None = None
    ) -> None:
        """Makes ready for the first epoch of a trial, or for the one after its checkpoint (a `Snapshot`'s bytes).

        Args:
            checkpoint: the bytes, or what reads them when the model is there; it is told the most that they may be.

        Raises:
            CheckpointError: the checkpoint cannot be read, or is of another model.
            DataError: the trainable selects data that cannot be trained on.
            Exception: whatever the trainable's own code raises.
        """
        self._end_trial()
        self.at_once = None
        seed %= 2**32
        valid = valid_params(self._trainable, params)
        keras.config.set_dtype_policy(self._precision)
        if valid.batch_size < self._replicas.count:
            raise ValueError(
                f"batch_size must be at least the trial's {self._replicas.count} GPUs, but got {valid.batch_size}"
            )

        def prepare(trainable: Trainable, data: Data) -> tuple[_Trial, list[Any]]:
            self._seeder.seed(seed)
            return self._prepared(trainable, data, valid, seed, is_new=checkpoint is None)

        trial, values = isolated(self._trainable, self._data, prepare)
        compiled, steps = trial.compiled, self._replicas.steps(trial.train.num_examples, valid.batch_size)
        compiled.reset(values, valid, steps, trial.recipe)
        self._progress = Progress()
        if checkpoint is not None:
            num_model_variables = len(compiled.model.variables)
            if not isinstance(checkpoint, bytes):
                checkpoint = checkpoint(bytes_max(compiled.variables, num_model_variables))
            state, self._progress = read_checkpoint(checkpoint, compiled.variables, num_model_variables)
            self._as_before(trial, self._progress.jit_compile)
            compiled.reset(values, valid, steps, trial.recipe)
            compiled.assign(state)
        self._progress.jit_compile = None if self._jit_compile is False else compiled.jit
        self._trial = trial
        self._seeder.restart(seed)  # tracing may have drawn from it

    def _prepared(
        self, trainable: Trainable, data: Data, params: Params, seed: int, is_new: bool
    ) -> tuple[_Trial, list[Any]]:
        """A trial with its graphs traced, and its model's initial values. Its state is to be reset.

        Args:
            is_new: whether it has no checkpoint: only then are a model's steps timed.
        """
        with reproducible_draws(is_selection=True):
            data = trainable.select_data(data, params)
        train, validation = (
            self._device.split(data.train, "training"),
            self._device.split(data.validation, "validation"),
        )
        test = None if data.test is None else self._device.split(data.test, "test")
        with first_names(trainable):
            with self._replicas.scope():
                model = new_model(trainable, params, lambda: train.inputs(1))
            if model.compiled:
                raise CompiledModelError
            if (size := fixed_batch_size(model)) is not None:
                parts = {"training": train, "validation": validation, **({} if test is None else {"test": test})}
                check_fixed_batch(size, params.batch_size, {name: part.num_examples for name, part in parts.items()})
            recipe = Recipe.of(trainable, params, model)
            key = cache_key(model, params, trainable.model_key(params)) + recipe.structure
            values = [variable.numpy() for variable in model.variables]
            self._collect_garbage(sum(value.nbytes for value in values))
            jit = bool(self._choices.known(key))
            compiled = self._cache.take(jit_key(key, jit))
            if compiled is None or not compiled.takes(values):
                with self._replicas.scope():
                    compiled = CompiledModel(
                        model, trainable, params, train.first(size or 1), self._count_trace, self._replicas, jit, recipe
                    )
            compiled.parts = parts_of(params.batch_size, params.micro_batch_size, self.parts_max)
            self.at_once = compiled.parts or params.batch_size
            compiled.prepare(train, validation)
            if compiled.model is model:
                values = compiled.initial_values
            sizes = params.batch_size, self.at_once * _EVALUATION_FACTOR
            self.choice = None
            if is_new:
                self.choice = self._choices.choose(key, lambda: compiled.choose_jit(train, validation, sizes[0]))
            compiled.compile_ahead(train, validation, *sizes)
        evaluation = Evaluation.of(trainable, data)
        return _Trial(params, seed, key, compiled, train, validation, test, evaluation, recipe), values

    def _as_before(self, trial: _Trial, jit: bool | None) -> None:
        """Goes on as a trial's checkpoint says, where the sweep leaves it open; the state is to be reset."""
        compiled = trial.compiled
        if self._jit_compile == "auto" and compiled.jit != bool(jit):
            compiled.jit = bool(jit)
            with first_names(self._trainable):
                compiled.prepare(trial.train, trial.validation)
                compiled.compile_ahead(trial.train, trial.validation, trial.params.batch_size, trial.evaluation_size)

    @property
    def epoch_examples(self) -> int:
        """How many training examples an epoch has: all but what several GPUs leave of an incomplete batch."""
        trial = self._running()
        steps = self._replicas.steps(trial.train.num_examples, trial.params.batch_size)
        return min(steps * trial.params.batch_size, trial.train.num_examples)

    def train_epoch(self) -> EpochResult:
        """Trains and validates the trial's next epoch."""
        trial = self._running()
        self._trial = (
            None  # until the epoch is whole: a model in which an exception left half an epoch is not used again
        )
        epoch = self._progress.epoch + 1
        if (rule := plateau_of(self._progress, trial.params)) is not None:
            trial.compiled.optimizer.schedule.set_rate(rule.rate)
        started_s = time.perf_counter()
        metrics = trial.compiled.train(trial.train, trial.params.batch_size, trial.seed, epoch)
        with averaged(trial.compiled.model):
            validated = trial.compiled.evaluate(trial.validation, trial.evaluation_size)
            metrics |= {f"val_{name}": value for name, value in validated.items()}
            if trial.evaluation is not None:
                self._seeder.restart_epoch(trial.seed, epoch)
                metrics |= trial.evaluation.after_epoch(trial.compiled.model, trial.compiled.variables, set(metrics))
        epoch_s = time.perf_counter() - started_s
        metrics["epoch_s"] = epoch_s
        self._trial = trial
        steps = self._replicas.steps(trial.train.num_examples, trial.params.batch_size)
        samples = min(steps * trial.params.batch_size, trial.train.num_examples)
        metrics = with_counts(metrics, epoch * steps, epoch * samples, steps, trial.compiled.parts)
        self._progress.epoch = epoch
        keep_plateau(self._progress, trial.params, metrics)
        metrics = self._judged(metrics, trial.compiled.model)
        return EpochResult(epoch, metrics, epoch_s)

    def snapshot(self) -> Snapshot:
        """The trial as it stands: from its bytes `start` goes on as if there had been no break."""
        values = [variable.numpy() for variable in self._running().compiled.variables]
        return Snapshot(values, replace(self._progress))

    def test_metrics(self) -> dict[str, float]:
        """`test_loss` and `test_<metric>` of the best epoch's weights; empty without test data or a best epoch."""
        trial = self._running()
        if trial.test is None or self.best_epoch == 0:
            return {}
        current = [variable.numpy() for variable in trial.compiled.model.variables]
        try:
            trial.compiled.assign(self._progress.best_values)
            metrics = trial.compiled.evaluate(trial.test, trial.evaluation_size)
            own = {}
            if trial.evaluation is not None:
                self._seeder.restart_epoch(trial.seed, self.best_epoch)
                own = trial.evaluation.of_test(trial.compiled.model, trial.compiled.variables)
        finally:
            trial.compiled.assign(current)
        return {f"test_{name}": value for name, value in metrics.items()} | own

    @property
    def model(self) -> Any:
        return self._running().compiled.model

    def park(self) -> None:
        """Lets trials of other folds use the trial's model until `unpark`, if it is one that can be used again."""
        trial = self._trial
        if trial is not None and trial.compiled.reusable and self._parked is None:
            self._parked = [value_of(variable) for variable in trial.compiled.variables]
            self._cache.put(jit_key(trial.key, trial.compiled.jit), trial.compiled)

    def unpark(self) -> None:
        """Takes the trial's model back, in the state that it had."""
        if self._parked is None:
            return
        trial = self._running()
        self._cache.take(jit_key(trial.key, trial.compiled.jit))
        steps = self._replicas.steps(trial.train.num_examples, trial.params.batch_size)
        trial.compiled.go_on(self._parked, trial.params, steps, trial.seed, trial.recipe)
        self._parked = None

    def forget(self) -> None:
        """Lets go of the trial, without its model for later ones."""
        self._trial = self._parked = None

    def _new_model(self, trainable: Trainable, trial: _Trial) -> keras.Model:
        return whole_model(trainable, trial.params, trial.train, trial.validation)

    def _end_trial(self) -> None:
        """Gives the model of the trial before to the next ones, unless it failed."""
        trial, self._trial, self._parked = self._trial, None, None
        if trial is not None and trial.compiled.reusable:
            self._cache.put(jit_key(trial.key, trial.compiled.jit), trial.compiled)

    def _collect_garbage(self, model_bytes: int) -> None:
        """Frees the models let go, before they take much memory: they hold cycles, which Python may leave for long."""
        self._garbage_bytes += model_bytes
        if self._garbage_bytes > _GARBAGE_BYTES_MAX:
            gc.collect()
            self._garbage_bytes = 0

    def _count_trace(self) -> None:
        self._traces += 1
