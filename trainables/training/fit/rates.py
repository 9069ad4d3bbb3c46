"""The learning rate as a model's optimizer really has it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainables.contract import RATE_NAMES
from trainables.training.fit.model import optimizers_of

_STEPS_MAX = 1000
"""Steps of an epoch that are looked at, of a schedule that takes one step at a time."""


class RateReader:
    """Reads a model's learning rate; none where its own steps use another optimizer, or several."""

    def __init__(self, model: Any) -> None:
        optimizer = _only_optimizer(model)
        self._optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        schedule = getattr(self._optimizer, "_learning_rate", None)
        self._schedule = schedule if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule) else None
        self._first_step = 0
        self._seen: list[float] = []

    def at_begin(self) -> dict[str, float]:
        """Before the first step; of a schedule the rate that it is named after, where it has one."""
        if self._optimizer is None:
            return {}
        initial = getattr(self._schedule, "initial_learning_rate", None)
        return {"learning_rate": float(initial) if initial is not None else self._rate()}

    def begin_epoch(self) -> None:
        self._first_step, self._seen = self._num_steps(), []

    def after_step(self) -> None:
        """Notes a rate that callbacks may set."""
        if self._optimizer is not None and self._schedule is None:
            self._seen.append(self._rate())

    def of_epoch(self) -> dict[str, float]:
        """`RATE_NAMES` of the epoch's steps; empty where the optimizer made none."""
        if self._optimizer is None or self._num_steps() == self._first_step:
            return {}
        if self._schedule is not None:
            rates = _rates(self._schedule, self._first_step, self._num_steps())
        else:
            rates = self._seen or [self._rate()]
        first, last = rates[0], rates[-1]
        mean = first if min(rates) == max(rates) else float(np.mean(rates))
        return dict(zip(RATE_NAMES, (last, first, last, mean), strict=True))

    def _num_steps(self) -> int:
        return 0 if self._optimizer is None else int(_number(self._optimizer.iterations))

    def _rate(self) -> float:
        assert self._optimizer is not None
        return _number(self._optimizer.learning_rate)


def _rates(schedule: Any, begin: int, end: int) -> list[float]:
    """The rates of the steps from `begin`, before `end`; of many steps some, where they are asked for one by one."""
    try:
        rates = np.asarray(schedule(tf.range(begin, end)))
        if rates.shape == (end - begin,) and np.isclose(rates[-1], schedule(end - 1)):
            return [_number(rate) for rate in rates]
    except Exception:  # a user's own, or one of Keras's that takes a single step
        pass
    steps = np.unique(np.linspace(begin, end - 1, min(end - begin, _STEPS_MAX)).astype(int))
    return [_number(schedule(int(step))) for step in steps]


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
