"""What the trainers of both paths share: how far a trial is, which epoch was its best, and the model of that epoch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar

import keras

from trainables.contract import Data, Trainable
from trainables.expressions import with_value_of
from trainables.isolation import isolated, read_only
from trainables.training.averages import best_values
from trainables.training.checkpoint import Progress, Snapshot
from trainables.training.graphs import assign
from trainables.training.naming import first_names
from trainables.training.shared import Shared

Trial = TypeVar("Trial")
NAMES = ("training", "validation", "test")
"""What people call the parts of the data."""


class OfKeras(ABC):
    """What workers ask of a trainer, and what all of Keras's trainers answer alike."""

    suffix = ".npz"
    """Of the file of a checkpoint."""
    saves_often = False
    """Whether a checkpoint is written as soon as there is one: epochs may be trained again instead."""
    is_whole = False
    """Whether a trial that ended itself has trained all that it was to."""
    epoch_examples = 0
    """How many training examples an epoch of the trial has; 0 where that is not known."""

    @property
    @abstractmethod
    def epoch(self) -> int:
        """The trial's epochs so far."""

    @property
    def snapshot_epoch(self) -> int:
        """The epoch that a snapshot is of."""
        return self.epoch

    def take_logged(self) -> dict[str, dict[str, str]]:
        """What a trial's own code has logged to MLflow: nothing that is known here."""
        return {}


class InProgress:
    """How far a trial is, and which epoch was its best."""

    _progress: Progress

    @property
    def epoch(self) -> int:
        """The trial's epochs so far."""
        return self._progress.epoch

    @property
    def best_epoch(self) -> int:
        """The epoch of the trial's best finite objective so far; 0 for none."""
        return self._progress.best_epoch

    @property
    def best_value(self) -> float:
        """The trial's best finite objective so far; NaN for none."""
        return self._progress.best_value

    def best_snapshot(self) -> Snapshot:
        """The best epoch's weights alone."""
        return Snapshot([], replace(self._progress))


class TrialTrainer(InProgress, ABC, Generic[Trial]):
    """Trains one trial after another.

    Args:
        metric: the objective, which decides which epoch is a trial's best: a metric's name, or an expression of them.
        mode: whether more of it is better.
        precision: Keras's dtype policy.
        shared: what it has in common with trainers of other folds.
    """

    def __init__(
        self,
        trainable: Trainable,
        data: Data,
        metric: str,
        mode: Literal["min", "max"],
        precision: str,
        shared: Shared | None = None,
    ) -> None:
        self._trainable, self._data = read_only(trainable, data)
        self._metric, self._mode, self._precision = metric, mode, precision
        self._shared = shared or Shared()
        self._device = self._shared.device
        for part, name in zip((self._data.train, self._data.validation, self._data.test), NAMES, strict=True):
            self._device.keep(part, name)
        self._trial: Trial | None = None
        self._progress = Progress()

    @property
    def data_notes(self) -> list[str]:
        """Which data have no room on the device."""
        return self._device.notes

    def best_model(self) -> keras.Model:
        """A new model with the best epoch's weights; compiled if `build_model` compiles it.

        Raises:
            RuntimeError: no epoch of the trial has reached a finite objective.
        """
        trial: Any = self._running()
        if self.best_epoch == 0:
            raise RuntimeError("a best model needs an epoch with a finite objective, but there was none")

        def build(trainable: Trainable, data: Data) -> keras.Model:
            trainable.select_data(data, trial.params)
            with first_names(trainable):
                return self._new_model(trainable, trial)

        model = isolated(self._trainable, self._data, build)
        assign(model.variables, self._progress.best_values)
        return model

    @abstractmethod
    def _new_model(self, trainable: Trainable, trial: Trial) -> keras.Model:
        """A model of a trial's parameters, with all of its variables."""

    def _judged(self, metrics: dict[str, float], model: Any) -> dict[str, float]:
        """The epoch's metrics with the objective among them; copies the model's variables if it is the best so far."""
        metrics = with_value_of(self._metric, metrics)
        self._keep_best(metrics, model)
        return metrics

    def _keep_best(self, metrics: dict[str, float], model: Any) -> None:
        if is_best(metrics, self._metric, self._mode, self._progress, self._shared.takes_last):
            self._keep(metrics[self._metric], model)

    def _keep(self, value: float, model: Any) -> None:
        self._progress.best_epoch, self._progress.best_value = self._progress.epoch, value
        self._progress.best_values = self._best_values(model)

    def _best_values(self, model: Any) -> list[Any]:
        """The values of the model's variables to keep of its newest epoch."""
        return best_values(model)

    @property
    @abstractmethod
    def model(self) -> Any:
        """The trial's model."""

    def keep_as_best(self, value: float) -> list[Any]:
        """Makes the newest epoch the best one, with this value; the values of the model's variables."""
        self._keep(value, self.model)
        return self._progress.best_values

    def _running(self) -> Trial:
        if self._trial is None:
            raise RuntimeError("no trial is running: call start() first")
        return self._trial


def is_best(
    metrics: Mapping[str, float],
    metric: str,
    mode: Literal["min", "max"],
    progress: Progress,
    takes_last: bool = False,
) -> bool:
    """Whether an epoch's objective is finite, as its losses are, and better than those before, where that matters."""
    value, best = metrics.get(metric, math.nan), progress.best_value
    losses = (metrics.get(name, 0.0) for name in ("loss", "val_loss"))  # a model's own step may report none
    if not all(map(math.isfinite, (value, *losses))):
        return False
    return takes_last or progress.best_epoch == 0 or (value > best if mode == "max" else value < best)
