"""Compiled models of the trials before, kept while a later trial may use them again."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import keras

from trainables.contract import Params
from trainables.settings import NAMES, own_names
from trainables.training.graphs import CompiledModel
from trainables.training.optimizers import static_key

_CAPACITY = 8
_NOT_IN_THE_MODEL = ("learning_rate", "batch_size", "micro_batch_size", "epochs")
"""Besides the parameters of optimizer and schedule."""
_WITH_OTHER_STATE = (
    "Normalization",
    "Discretization",
    "IntegerLookup",
    "StringLookup",
    "TextVectorization",
)


class ModelCache:
    """The compiled models used last, by what makes their graphs equal."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, CompiledModel] = OrderedDict()

    def take(self, key: str) -> CompiledModel | None:
        """Removes and returns a model; a trial that ends well puts it back."""
        return self._models.pop(key, None)

    def put(self, key: str, compiled: CompiledModel) -> None:
        """Keeps a model, and lets the one go that was not used for longest."""
        self._models[key] = compiled
        while len(self._models) > _CAPACITY:
            self._models.popitem(last=False)


def cache_key(model: Any, params: Params, known: str | None = None) -> str:
    """Equal only for models with equal graphs: by their configuration where Keras knows all of it, else by params.

    What XLA compiles is kept apart by `jit_key`.

    Args:
        known: what the trainable itself says of the model, which counts instead.
    """
    text = architecture(model) if known is None else known
    if text is None:
        of_training = {*_NOT_IN_THE_MODEL, *NAMES} - own_names(type(params))
        text = json.dumps(params.model_dump(exclude=of_training), sort_keys=True, default=repr)
    return f"{static_key(params)} {keras.config.dtype_policy().name} {text}"


def jit_key(key: str, jit: bool) -> str:
    """The key of a model whose steps XLA compiles, or does not."""
    return f"{key} XLA" if jit else key


def architecture(model: Any) -> str | None:
    """The model's configuration without automatic names; None if anything in it is not Keras's own."""
    if type(model).__module__.partition(".")[0] != "keras":  # Sequential and Functional models only
        return None
    try:
        config = {"class_name": type(model).__name__, "module": "keras", "config": model.get_config()}
        if not all(_is_plain(part) for part in _objects(config)):
            return None
        text = json.dumps(_renamed(config, _automatic_names(config)), sort_keys=True)
    except Exception:
        return None
    return text


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized Keras object in a configuration, in order."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _objects(part)


def _is_plain(part: dict[str, Any]) -> bool:
    """Whether an object is Keras's own, and of a class whose whole state lies in its variables."""
    name = part["class_name"]
    if name == "__keras_tensor__":
        return True
    return str(part.get("module")).startswith("keras") and name != "Lambda" and name not in _WITH_OTHER_STATE


def _automatic_names(config: Any) -> dict[str, str]:
    """The names that Keras numbered by itself, with numbers that do not depend on the models built before."""
    names: dict[str, str] = {}
    for part in _objects(config):
        name = part["config"].get("name") if isinstance(part.get("config"), dict) else None
        if isinstance(name, str) and re.sub(r"_\d+$", "", name) == _snake_case(part["class_name"]):
            names.setdefault(name, f"#{len(names)}")
    return names


def _snake_case(name: str) -> str:
    """As Keras makes a layer's automatic name of its class's."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _renamed(config: Any, names: dict[str, str]) -> Any:
    if isinstance(config, dict):
        return {key: _renamed(value, names) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [_renamed(part, names) for part in config]
    return names.get(config, config) if isinstance(config, str) else config
