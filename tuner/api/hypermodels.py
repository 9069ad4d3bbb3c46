"""KerasTuner models given in Python: a HyperModel, or a function of `hp`, with arrays beside it."""

from __future__ import annotations

import inspect
import os
from typing import Any

from trainables.contract import DataError
from trainables.kerastuner import adapted, is_hypermodel
from trainables.kerastuner.adapter import KeptHere
from trainables.kerastuner.spaces import from_hyperparameters
from trainables.kerastuner.splitting import as_data
from tuner.api.space import Objective
from tuner.base.errors import UsageError
from tuner.spec.expressions import has_own_name
from tuner.spec.space import shown

_MORE_IS_BETTER = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "similarity", "specificity")
_LESS_IS_BETTER = ("loss", "error", "mse", "mae", "rmse", "mape", "msle", "crossentropy", "hinge", "divergence")


def is_model(value: Any) -> bool:
    """Whether a program gave a KerasTuner model, class, instance or function, and no trainable of Tuner's."""
    return not isinstance(value, str | os.PathLike) and is_hypermodel(value)


def with_data(trainable: Any, data: Any, validation_data: Any, validation_split: float | None) -> tuple[Any, Any]:
    """A trainable and what is left of `data` for the spec: arrays and functions go with a KerasTuner model.

    Raises:
        UsageError: the data are none, or are meant for something that loads its own.
    """
    is_place = data is None or isinstance(data, str | os.PathLike)
    if is_place and validation_data is None and validation_split is None:
        return trainable, data
    if not is_model(trainable):
        rule = "arrays are for KerasTuner models; a Trainable loads its own, or takes a path or a built-in set"
        raise UsageError(f"data: {rule}, but got {_what(data)}")
    if is_place:
        raise UsageError("validation_data, validation_split: need data, such as data=(x, y)")
    if callable(data):
        source = data
    else:
        try:
            source = KeptHere.of(as_data(data, validation_data, validation_split))
        except DataError as error:
            raise UsageError(f"data: {error}") from None
    return adapted(trainable, written_as(trainable).__name__, source), None


def written_as(model: Any) -> Any:
    """The class or the function that a model was written as."""
    return model if isinstance(model, type) or inspect.isfunction(model) else type(model)


def objective_of(objective: Any) -> Any:
    """A metric's name with the direction that it is known by, as in KerasTuner; its Objective as ours.

    Raises:
        UsageError: the direction of a name is not known.
    """
    if isinstance(objective, str):
        name = "" if has_own_name(objective) else objective.lower()
        for words, mode in ((_LESS_IS_BETTER, "min"), (_MORE_IS_BETTER, "max")):
            if any(word in name for word in words):
                return Objective(objective, mode)  # type: ignore[arg-type]
        raise UsageError(
            f"objective: whether more of {shown(objective)} is better cannot be told by its name; write"
            f' tuner.maximize("{objective}") or tuner.minimize("{objective}")'
        )
    if type(objective).__name__ == "Objective" and hasattr(objective, "direction"):
        return Objective(objective.name, objective.direction)
    return objective


def space_of(space: Any) -> Any:
    """The space of a HyperParameters object; any other as it is."""
    if type(space).__name__ == "HyperParameters":
        return from_hyperparameters(space).parameters
    return space


def _what(data: Any) -> str:
    return "none" if data is None else f"a {type(data).__name__}"
