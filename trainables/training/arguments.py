"""The arguments of models and layers of the user's own, for their configurations in a saved file.

Keras keeps them for layers without `get_config`. For models it keeps the defaults alone: a saved model is then made
with other values than the trained one, or cannot be saved at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.models.functional import Functional


@contextmanager
def kept_arguments() -> Iterator[None]:
    """Has Keras keep the arguments of the models that are made in here, as it does for layers."""
    before = {kind: kind.__dict__["__new__"] for kind in (keras.Model, Functional)}
    for kind in before:
        kind.__new__ = _keeping(kind.__new__)
    try:
        yield
    finally:
        for kind, new in before.items():
            kind.__new__ = new


def give_configurations(model: Any) -> None:
    """Lets what has no `get_config` of its own be saved with the arguments that it was made with."""
    for layer in [model, *model._flatten_layers(include_self=False)]:
        arguments = getattr(layer, "_auto_config", None)
        if arguments is None or not _is_users(type(layer)) or _is_users(type(layer).get_config):
            continue
        config = {**layer.get_config(), **arguments.config}
        taken = inspect.signature(type(layer).__init__).parameters
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
            config = {name: value for name, value in config.items() if name in taken}
        layer.get_config = lambda config=config: dict(config)


def _keeping(new: Any) -> Any:
    def keeping(cls: type, *args: Any, **kwargs: Any) -> Any:
        return (keras.layers.Layer.__new__ if _is_users(cls) else new)(cls, *args, **kwargs)

    return staticmethod(keeping)


def _is_users(what: Any) -> bool:
    return str(what.__module__).partition(".")[0] != "keras"
