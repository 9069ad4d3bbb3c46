"""The learning rate as a model's optimizer really has it."""

from __future__ import annotations

from typing import Any

import keras


class RateReader:
    """Reads a model's learning rate; none where its own steps use another optimizer, or several."""

    def __init__(self, model: Any) -> None:
        optimizer = getattr(model, "optimizer", None)
        self._optimizer = optimizer if isinstance(optimizer, keras.Optimizer) else None
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


def _number(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))
