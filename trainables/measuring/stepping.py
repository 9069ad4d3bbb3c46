"""Single training steps of any Keras trainable, at rates that are given step by step; nothing is traced for a rate."""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import BATCHING, Data, Trainable
from trainables.training import Trainer
from trainables.training.batching import like
from trainables.training.device import Split
from trainables.training.shuffling import shuffled

SEED = 0
SHOWN_MAX = 256
"""Examples that are validated where a validation is of no interest."""
LATE = 10**6
"""An epoch in the last phase of a training, whose steps take the longest."""
WARM = 3
"""The first steps through `fit` may make something ready, and are not timed."""
CONSTANT = {"schedule": "constant", "warmup_epochs": 0.0}
"""A measured training's rate is the one that it is given."""


@dataclass
class Steps:
    """What some steps of one training showed."""

    losses: list[float] = field(default_factory=list)
    """Of each step's batch, before the step."""
    seconds: list[float] = field(default_factory=list)
    """Of each step."""


Ends = Callable[[Steps], bool]


class Stepping:
    """Trains step by step, one configuration after another, in the process of a worker.

    Args:
        trainable: as a worker has it.
        precision: Keras's dtype policy.

    Attributes:
        model: that of the configuration that ran last.
        optimizer: the name of its optimizer's class, in lower case.
        num_examples: of its training data.
        says_batch_size: whether the data say the batch size, and no parameter does.
    """

    def __init__(self, trainable: Trainable, data: Data, precision: str = "float32") -> None:
        self._trainable, self._precision = trainable, precision
        self._hook = _Hook()
        self.model: Any = None
        self.optimizer = ""
        self.num_examples = 0
        self.says_batch_size = False
        short = replace(data, validation=_short(data.validation), test=None)
        self.trainer = Trainer(trainable, short, "loss", "min", precision)
        self._fit = Trainer(_hooked(trainable, self._hook), short, "loss", "min", precision)

    @property
    def path(self) -> str:
        """fast or fit, once a configuration was started."""
        return self.trainer.path

    def run(self, params: Mapping[str, Any], rates: Iterator[float] | Sequence[float] | None, ends: Ends) -> Steps:
        """Steps from the configuration's initial weights until `ends`, or until there is no further rate.

        Args:
            rates: of each step; None for the configuration's own.

        Raises:
            Exception: whatever the trainable's own code raises.
        """
        if self.trainer.path == "fast":
            self.trainer.start({**params, **self._constant(params)}, SEED)
        if self.trainer.path == "fast":
            return self._run_fast(params, rates, ends)
        return self._run_fit(params, rates, ends)

    def seconds_per_step(self, params: Mapping[str, Any], seconds: float) -> float:
        """How long a step of these parameters takes in an epoch.

        Args:
            seconds: about as long as it is measured; a few steps at least.
        """
        if self.trainer.path == "fast":
            self.trainer.start({**params, **self._constant(params)}, SEED)
        until = time.perf_counter() + seconds
        if self.trainer.path == "fast":
            return self._timed_fast(until)
        steps = self._run_fit(params, None, lambda steps: len(steps.seconds) > WARM and time.perf_counter() > until)
        return float(np.median(steps.seconds[WARM:] or steps.seconds or [math.nan]))

    def _timed_fast(self, until: float) -> float:
        """Of ever longer parts of an epoch, as an epoch is one call into TensorFlow; the best time of the longest."""
        trial = self.trainer.trial
        self._learn(trial.compiled.model, trial.train.num_examples)
        size, most = trial.params.batch_size, max(1, trial.train.num_examples // trial.params.batch_size)
        count, found = min(2, most), list[float]()
        for number in itertools.count():
            part = _first(trial.train, count * size)
            began = time.perf_counter()
            trial.compiled.train(part, size, SEED, LATE + number)
            took = time.perf_counter() - began
            found += [took / count] if number else []  # the first one may have made something ready
            is_over = bool(found) and time.perf_counter() + took > until
            if not is_over and took < 0.1 and count < most:
                count, found = min(most, count * 4), []
            elif is_over:
                break
        return min(found)

    def _constant(self, params: Mapping[str, Any]) -> dict[str, Any]:
        known = getattr(self._trainable.Params, "model_fields", {})
        return {name: value for name, value in CONSTANT.items() if name in known}

    def _run_fast(self, params: Mapping[str, Any], rates: Any, ends: Ends) -> Steps:
        trial: Any = self.trainer.trial
        self._learn(trial.compiled.model, trial.train.num_examples)
        steps, size = Steps(), trial.params.batch_size
        batches = _batches(trial.train, size)
        for number, rate in enumerate(_endless() if rates is None else rates):
            batch = next(batches)
            if rate is not None:
                trial.compiled.optimizer.set(trial.params.model_copy(update={"learning_rate": rate}), 1)
            began = time.perf_counter()
            metrics = trial.compiled.train(batch, size, SEED, _epoch_of(number, trial))
            steps.seconds.append(time.perf_counter() - began)
            steps.losses.append(metrics.get("loss", math.nan))
            if ends(steps):
                break
        return steps

    def _run_fit(self, params: Mapping[str, Any], rates: Any, ends: Ends) -> Steps:
        steps = Steps()
        self._hook.begin(_endless() if rates is None else iter(rates), steps, ends)
        known = {**params, **self._constant(params)}
        self._fit.start(known, SEED)
        self._learn_fit(self._fit.trial)
        try:
            while not self._hook.is_over and not self._fit.stopped:
                before = len(steps.losses)
                self._fit.train_epoch()
                if len(steps.losses) == before:
                    break  # a `fit` of the trainable's own that runs no callbacks
        finally:
            self._fit.end()
        return steps

    def _learn_fit(self, trial: Any) -> None:
        self.says_batch_size = trial.train.is_batched
        size = int(self._fit.used.get("batch_size", trial.batch_size))
        counted = 0 if self.says_batch_size else trial.train.source.num_examples
        self._learn(trial.model, counted or size * (trial.train.steps(size) or 1))

    def _learn(self, model: Any, num_examples: int) -> None:
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self.optimizer = type(optimizer).__name__.lower().removeprefix("tunable")
        self.model, self.num_examples = model, num_examples

    @property
    def is_compiled(self) -> bool:
        """Whether `build_model` compiles; its optimizer is then its own."""
        return self.path == "fit" and self._fit.compiles

    def batch_size(self, asked: int) -> int:
        """The batch size that was trained where this one was asked for."""
        return int(self._fit.used.get("batch_size", asked)) if self.path == "fit" else asked


class _Hook:
    """What the callback of a hooked trainable does; it holds no state that Keras looks at."""

    def __init__(self) -> None:
        self.is_over = False

    def begin(self, rates: Iterator[float | None], steps: Steps, ends: Ends) -> None:
        self._rates, self._steps, self._ends = rates, steps, ends
        self._variable: Any = None
        self.is_over = False

    def train_begin(self, model: Any) -> None:
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        if self._variable is None and isinstance(optimizer, keras.Optimizer):
            self._variable = tf.Variable(0.0, trainable=False)
            self._first = next(self._rates, None)
            if self._first is not None:
                optimizer._learning_rate = _Rate(self._variable)  # before anything is traced

    def batch_begin(self, model: Any) -> None:
        rate = self._first if not self._steps.losses else next(self._rates, None)
        if rate is None and self._first is not None:
            self._stop(model)
        elif rate is not None:
            self._variable.assign(rate)
        for metric in model.metrics:
            metric.reset_state()
        self._began = time.perf_counter()

    def batch_end(self, model: Any, logs: Mapping[str, Any]) -> None:
        self._steps.seconds.append(time.perf_counter() - self._began)
        self._steps.losses.append(float(logs.get("loss", math.nan)))
        if self._ends(self._steps):
            self._stop(model)

    def _stop(self, model: Any) -> None:
        self.is_over = model.stop_training = True


class _Rate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate of a variable."""

    def __init__(self, variable: Any) -> None:
        self._variable = variable

    def __call__(self, step: Any) -> Any:
        return tf.convert_to_tensor(self._variable)

    def get_config(self) -> dict[str, Any]:
        return {}


class _Callback(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls the hook of its class."""

    hook: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.hook.train_begin(self.model)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.hook.batch_begin(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.hook.batch_end(self.model, logs or {})


def _hooked(trainable: Trainable, hook: _Hook) -> Trainable:
    """The trainable with the hook's callback alone: its own ones would stop it, or set its rate."""
    kind = type(trainable)
    callback = type("StepCallback", (_Callback,), {"hook": hook})

    def callbacks(self: Any, params: Any) -> list[Any]:
        return [callback()]

    made = type(kind.__name__, (kind,), {"callbacks": callbacks, "__module__": kind.__module__})
    hooked = copy.copy(trainable)
    object.__setattr__(hooked, "__class__", made)
    return hooked


def _epoch_of(step: int, trial: Any) -> int:
    """Each step counts as an epoch, within the first phase: a later one counts its steps from where it begins."""
    plan = trial.recipe.plan
    return step + 1 if plan is None else int(min(step + 1, plan.ends[0]))


def _endless() -> Iterator[None]:
    while True:
        yield None


def _batches(split: Split, size: int) -> Iterator[Split]:
    """One whole batch after another, drawn in new orders again and again; all are of the same graph."""
    size = min(size, split.num_examples)
    random = np.random.default_rng(SEED)
    while True:
        if split.is_dataset:
            source = shuffled(split.source, split.num_examples, int(random.integers(2**31)))
            for window in source.window(size, drop_remainder=True):
                examples = window if isinstance(window, tf.data.Dataset) else tf.data.Dataset.zip(window)
                yield Split(_batched_as(split.source, examples), size)
            continue
        order = random.permutation(split.num_examples)
        for start in range(0, split.num_examples - size + 1, size):
            rows = tf.constant(order[start : start + size])
            with tf.device("CPU:0" if split.is_on_host else None):
                batch = tf.nest.map_structure(lambda array, rows=rows: tf.gather(array, rows), split.source)
            yield Split(batch, size, split.is_on_host)


def _first(split: Split, count: int) -> Split:
    """The first examples as a part of the same graph."""
    if split.is_dataset:
        return Split(_batched_as(split.source, split.source.take(count)), min(count, split.num_examples))
    return Split(split.first(count), min(count, split.num_examples), split.is_on_host)


def _batched_as(source: Any, examples: Any) -> Any:
    return like(source, examples) if hasattr(source, BATCHING) else examples


def _short(part: Any) -> Any:
    """The first examples of validation data that nobody looks at."""
    if isinstance(part, tf.data.Dataset):
        return part if part.cardinality() == tf.data.INFINITE_CARDINALITY else part.take(SHOWN_MAX)
    leaves = tf.nest.flatten(part) if isinstance(part, tuple | dict) else [part]
    if not all(isinstance(leaf, np.ndarray) and leaf.ndim for leaf in leaves):
        return part
    return tf.nest.map_structure(lambda rows: rows[:SHOWN_MAX], part)
