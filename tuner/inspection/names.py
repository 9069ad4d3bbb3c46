"""Whether Keras knows the losses and metrics that a trainable gives as text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from trainables.contract import Trainable
from tuner.spec.space import nearest, shown

_OF_COMPILE = ("accuracy", "acc", "crossentropy", "ce")
"""Metrics of which `keras.Model.compile` makes those that fit the model's output."""
_OF_MODULES = {"get", "serialize", "deserialize"}


def name_problems(trainable: Trainable) -> list[str]:
    """Names that a training would fail at. Nothing is known where the user's file has not imported Keras itself."""
    keras = sys.modules.get("keras")
    if keras is None:
        return []
    problems = [
        f"trainable: its loss {_must(loss, keras.losses)}"
        for loss in _texts(getattr(trainable, "loss", None))
        if not _gives(keras.losses.get, loss)
    ]
    problems += [
        f"trainable: each of its metrics {_must(metric, keras.metrics, *_OF_COMPILE)}"
        for metric in _texts(trainable.metrics)
        if metric not in _OF_COMPILE and not _gives(keras.metrics.get, metric)
    ]
    return problems


def _texts(given: Any) -> Iterator[str]:
    """The names among losses or metrics, which may be one for each of a model's outputs."""
    if isinstance(given, str):
        yield given
    elif isinstance(given, list | tuple | Mapping):
        for part in given.values() if isinstance(given, Mapping) else given:
            yield from _texts(part)


def _gives(get: Callable[[str], Any], name: str) -> bool:
    try:
        get(name)
    except (ValueError, TypeError):
        return False
    return True


def _must(name: str, module: Any, *others: str) -> str:
    functions = {known for known, value in vars(module).items() if known.islower() and callable(value)} - _OF_MODULES
    return f"must be one of Keras's, but got {shown(name)}{nearest(name, [*functions, *others])}"
