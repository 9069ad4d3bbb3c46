"""A trainable's own metrics of an epoch: what its `evaluate` makes of the model and a whole part of the data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.contract import RATE_NAMES, Data, EvaluateError, Trainable, has_evaluate
from trainables.isolation import isolated
from trainables.training.graphs import assign
from trainables.training.values import value_of

VALUES_MAX = 1000
"""Of one metric: each is a line in the journal and a metric in MLflow."""


@dataclass(frozen=True)
class Evaluation:
    """The `evaluate` of one trial, with the data that `select_data` gave it."""

    trainable: Trainable
    validation: Any
    test: Any

    @classmethod
    def of(cls, trainable: Trainable, selected: Data) -> Evaluation | None:
        """None for a trainable without an `evaluate`."""
        return cls(trainable, selected.validation, selected.test) if has_evaluate(trainable) else None

    def after_epoch(self, model: Any, variables: Sequence[Any], reported: Collection[str]) -> dict[str, float]:
        """The metrics on the validation data.

        Args:
            variables: the training's state, which stays as it is whatever `evaluate` does to it.
            reported: the names of the epoch's other metrics.

        Raises:
            EvaluateError: it returns no metrics, or uses a name that is taken.
            Exception: whatever it raises.
        """
        found = own_metrics(self.trainable, model, variables, self.validation)
        taken = {*reported, *(name.removeprefix("val_") for name in reported), *RATE_NAMES, "epoch_s"}
        for name in found:
            if name in taken or name.removeprefix("val_") in taken:
                raise EvaluateError(
                    f"evaluate must give its metrics names of their own, but {name!r} is one that training reports"
                )
        return found

    def of_test(self, model: Any, variables: Sequence[Any]) -> dict[str, float]:
        """The metrics on the test data, named `test_…`."""
        found = own_metrics(self.trainable, model, variables, self.test)
        return {f"test_{name.removeprefix('val_')}": value for name, value in found.items()}


def own_metrics(trainable: Trainable, model: Any, variables: Sequence[Any], part: Any) -> dict[str, float]:
    """What `evaluate` returns, as numbers by name; the variables and `model.stop_training` stay as they are."""
    kept = [value_of(variable) for variable in variables]
    is_stopped = getattr(model, "stop_training", False)
    try:
        returned = isolated(trainable, Data(None, part), lambda own, data: own.evaluate(model, data.validation))
    finally:
        assign(list(variables), kept)
        model.stop_training = is_stopped
    return _numbers(returned)


def _numbers(returned: Any) -> dict[str, float]:
    if not isinstance(returned, Mapping) or not returned:
        got = "an empty dict" if isinstance(returned, Mapping) else type(returned).__name__
        raise EvaluateError(f"evaluate must return a dict of metrics, but it returned {got}")
    found: dict[str, float] = {}
    for name, value in returned.items():
        if not isinstance(name, str) or not name.strip():
            raise EvaluateError(f"evaluate must return a dict with names of metrics, but got {name!r}")
        found |= _named(name, value)
    return found


def _named(name: str, value: Any) -> dict[str, float]:
    """A number by its name; of an array, such as a score for each class, each of its numbers."""
    try:
        if value is None or isinstance(value, str | bytes):
            raise TypeError
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise EvaluateError(f"evaluate must return numbers, but {name} is {_shown(value)}") from None
    if array.size == 1:
        return {name: float(array.reshape(()))}
    if array.ndim != 1 or not 0 < array.size <= VALUES_MAX:
        raise EvaluateError(f"evaluate must return numbers, but {name} has the shape {array.shape}")
    return {f"{name}_{index}": float(number) for index, number in enumerate(array)}


def _shown(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"
