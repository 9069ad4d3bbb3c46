"""Whether Keras knows the losses and metrics that a trainable gives as text."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from trainables.contract import Trainable
from tuner.space import nearest, shown

_OF_COMPILE = ("accuracy", "acc", "crossentropy", "ce")
"""Metrics of which `keras.Model.compile` makes those that fit the model's output."""
_OF_MODULES = {"get", "serialize", "deserialize"}


def name_problems(trainable: Trainable) -> list[str]:
    """Names that a training would fail at. Nothing is known where the user's file has not imported Keras itself."""
    keras = sys.modules.get("keras")
    if keras is None:
        return []
    problems = []
    if isinstance(trainable.loss, str) and not _gives(keras.losses.get, trainable.loss):
        problems.append(f"trainable: its loss {_must(trainable.loss, keras.losses)}")
    problems += [
        f"trainable: each of its metrics {_must(metric, keras.metrics, *_OF_COMPILE)}"
        for metric in trainable.metrics
        if isinstance(metric, str) and metric not in _OF_COMPILE and not _gives(keras.metrics.get, metric)
    ]
    return problems


def _gives(get: Callable[[str], Any], name: str) -> bool:
    try:
        get(name)
    except (ValueError, TypeError):
        return False
    return True


def _must(name: str, module: Any, *others: str) -> str:
    functions = {known for known, value in vars(module).items() if known.islower() and callable(value)} - _OF_MODULES
    return f"must be one of Keras's, but got {shown(name)}{nearest(name, [*functions, *others])}"
