"""The learning rate as a model's optimizer really has it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.training.fit.model import optimizers_of


class RateReader:
    """Reads a model's learning rate; none where its own steps use another optimizer, or several."""

    def __init__(self, model: Any) -> None:
        self._optimizer = _only_optimizer(model)
        self._steps = 0

    def at_begin(self) -> dict[str, float]:
        """Before the first step; of a schedule the rate that it is named after, where it has one."""
        if self._optimizer is None:
            return {}
        schedule = getattr(self._optimizer, "_learning_rate", None)
        initial = getattr(schedule, "initial_learning_rate", None)
        return {"learning_rate": float(initial) if initial is not None else self._rate()}

    def begin_epoch(self) -> None:
        self._steps = self._num_steps()

    def of_epoch(self) -> dict[str, float]:
        """At the last step of the epoch; empty where the optimizer made none."""
        if self._optimizer is None or self._num_steps() == self._steps:
            return {}
        schedule = getattr(self._optimizer, "_learning_rate", None)
        if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return {"learning_rate": _number(schedule(max(self._num_steps() - 1, 0)))}
        return {"learning_rate": self._rate()}

    def _num_steps(self) -> int:
        return 0 if self._optimizer is None else int(_number(self._optimizer.iterations))

    def _rate(self) -> float:
        assert self._optimizer is not None
        return _number(self._optimizer.learning_rate)


def _only_optimizer(model: Any) -> Any:
    """The one that trains the model: what it was compiled with, or the only one that a step of its own can mean."""
    compiled = getattr(model, "optimizer", None)
    if type(model).train_step is not keras.Model.train_step:
        others = [optimizer for optimizer in optimizers_of(model) if optimizer is not compiled]
        if others:
            return others[0] if len(others) == 1 else None
    return compiled if isinstance(compiled, keras.Optimizer) else None


def _number(value: Any) -> float:
    """As people write it: 0.01, and not what comes of it in 32 bits."""
    number = np.asarray(tf.convert_to_tensor(value).numpy())
    return float(str(number)) if number.dtype == np.float32 else float(number)
