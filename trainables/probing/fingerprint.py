"""What a trial is made of, as texts that are equal if it trains the same: data, model, first weights, loss, graph."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import types
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

from trainables.contract import Data, Trainable
from trainables.isolation import isolated, read_only
from trainables.training.cache import architecture
from trainables.training.fit.data import fit_part
from trainables.training.graphs import new_model
from trainables.training.naming import first_names
from trainables.training.recipe import Recipe

SEED = 1
_OWN_GENERATOR = "give keras.random a keras.random.SeedGenerator that is an attribute of the layer"
_BYTES_MAX = 2**28
"""Of data that are compared."""


def fingerprint(trainable: Trainable, data: Data, params: Any, precision: str) -> dict[str, str | None]:
    """The parts of a trial with these parameters; None for a part that cannot be compared."""
    shared, given = read_only(trainable, data)
    return isolated(shared, given, lambda own, data: _fingerprint(own, data, params, precision))


def _fingerprint(trainable: Trainable, data: Data, params: Any, precision: str) -> dict[str, str | None]:
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(SEED)
    selects = type(trainable).select_data is not Trainable.select_data
    chosen = trainable.select_data(data, params)
    with first_names(trainable):
        model = new_model(trainable, params, lambda: fit_part(chosen.train, "training").inputs())
    values = [np.asarray(variable) for variable in model.variables]
    return {
        "data": _of_data(chosen) if selects else "all",
        "model": architecture(model),
        "shapes": str([(value.shape, str(value.dtype)) for value in values]),
        "weights": _digest(values),
        "loss": _text(getattr(trainable, "loss", None)),
        "metrics": _text(getattr(trainable, "metrics", None)),
        "compiled": _text(model.get_compile_config()) if getattr(model, "compiled", False) else "no",
        "fit": _of_fit(trainable, params),
        "recipe": str(Recipe.of(trainable, params, model)),
    }


def graph_text(trainer: Any) -> str | None:
    """The graphs of the trial that a trainer has begun, without the numbers that TensorFlow gives names.

    None if they hold more than they show: variables that are not the model's, or functions of Python.
    """
    if trainer.hides_state:
        return None
    definitions = [graph.graph.as_graph_def() for graph in trainer.graphs]
    parts = [part for each in definitions for part in (*each.node, *each.library.function)]
    texts = sorted(re.sub(r"[-_]\d+", "", str(part)) for part in parts)
    if any("PyFunc" in text for text in texts):
        return None
    return hashlib.sha256("".join(texts).encode()).hexdigest()


def uncertain_ops(trainer: Any) -> str:
    """Why a trial may not be the same twice: ops of its graphs that keep a state of their own; empty for none."""
    definitions = [graph.graph.as_graph_def() for graph in trainer.graphs]
    nodes = [node for each in definitions for part in (each, *each.library.function) for node in _nodes(part)]
    ops = {node.op for node in nodes}
    if ops & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}:
        return "it calls Python from the graph, of whose state no checkpoint knows"
    if any(op.startswith(("Random", "TruncatedNormal", "ParameterizedTruncated", "Multinomial")) for op in ops):
        return f"it draws from tf.random: {_OWN_GENERATOR}"
    generator = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    known = {id(variable) for graph in trainer.graphs for variable in graph.graph.variables}
    if generator is not None and id(generator.state.value) in known:
        return f"it draws from Keras's global generator: {_OWN_GENERATOR}"
    return ""


def _nodes(definition: Any) -> Any:
    return definition.node if hasattr(definition, "node") else definition.node_def


def _of_data(data: Data) -> str | None:
    parts = [_of_part(part) for part in (data.train, data.validation, data.test)]
    return None if None in parts else str(parts)


def _of_part(part: Any) -> str | None:
    """A part of the data as text; of a data set none, as what its functions do cannot be seen."""
    if part is None:
        return "none"
    leaves = tf.nest.flatten(part)
    if not all(isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufSU" for leaf in leaves):
        return None
    if sum(leaf.nbytes for leaf in leaves) > _BYTES_MAX:
        return None
    return f"{[(leaf.shape, str(leaf.dtype)) for leaf in leaves]} {_digest(leaves)}"


def _digest(arrays: list[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _of_fit(trainable: Trainable, params: Any) -> str | None:
    """What `fit` takes besides, where the trainable has it."""
    found = []
    for name in ("callbacks", "class_weight", "fit_options"):
        given = getattr(trainable, name, None)
        found.append(_text(given(params) if callable(given) else given))
    return None if None in found else str(found)


def _text(value: Any) -> str | None:
    """A loss, a metric, a callback or an option as text; None for an object of which nobody knows all."""
    try:
        return json.dumps(_plain(value), sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None


def _plain(value: Any, depth: int = 0) -> Any:
    if depth > 8:
        raise ValueError("too deep")
    if value is None or isinstance(value, str | bool | int | float):
        return value if not isinstance(value, str) else re.sub(r"_\d+$", "", value)
    if isinstance(value, np.ndarray | np.generic):
        return [str(value.dtype), _digest([value])]
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, functools.partial):
        return [_plain(part, depth + 1) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [value.__qualname__, _plain(cells, depth + 1), _plain(value.__defaults__, depth + 1)]
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, keras.callbacks.Callback):
        own = {name: item for name, item in vars(value).items() if not name.startswith("_")}
        return [type(value).__qualname__, _plain(own, depth + 1)]
    if type(value).__module__.startswith("keras") and hasattr(value, "get_config"):
        return [type(value).__qualname__, _plain(value.get_config(), depth + 1)]
    raise TypeError(f"{type(value).__name__} cannot be compared")
