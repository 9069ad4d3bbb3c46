"""State that a model's steps have besides the variables of model and optimizer: a second optimizer, a counter, a draw.

Whatever variable an epoch's graph touches is part of a trial's state. What is no variable cannot be kept, and is
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops import gen_resource_variable_ops as resource_ops

_UNKEPT_OPS = {
    "LookupTableInsert": "writes into a lookup table",
    "LookupTableRemove": "removes keys from a lookup table",
    "QueueEnqueue": "fills a queue",
    "StackPush": "fills a stack",
    "BarrierInsert": "fills a barrier",
}
_DEPTH_MAX = 4
_PARTS_MAX = 10_000


class UnkeptStateError(TypeError):
    """A step changes what no checkpoint can hold."""


class HiddenVariable:
    """One of TensorFlow's variables, by its handle; its interface is that of a Keras variable."""

    def __init__(self, handle: Any, path: str, shape: Any, dtype: tf.DType) -> None:
        self.handle, self._tf_dtype = handle, dtype
        self.path, self.shape, self.dtype = path, tuple(shape), dtype.name

    def numpy(self) -> Any:
        return resource_ops.read_variable_op(self.handle, self._tf_dtype).numpy()

    def assign(self, value: Any) -> None:
        resource_ops.assign_variable_op(self.handle, tf.convert_to_tensor(value, self._tf_dtype))


def hidden_variables(graphs: Iterable[Any], known: Iterable[Any]) -> list[tuple[int, HiddenVariable]]:
    """The variables that graphs touch besides those that are known, each with its handle's id, in the graphs' order.

    Raises:
        UnkeptStateError: one has no shape of its own.
    """
    seen = {id(tf_variable(variable).handle) for variable in known}
    found: list[tuple[int, HiddenVariable]] = []
    for graph in graphs:
        names = {id(variable.handle): variable.name for variable in graph.graph.variables}
        for handle in graph.captured_inputs:
            if handle.dtype != tf.resource or id(handle) in seen:
                continue
            seen.add(id(handle))
            kept = getattr(handle, "_handle_data", None)
            if kept is None or not kept.is_set or len(kept.shape_and_type) != 1:
                continue  # a table, which no step writes into: see `check_ops`
            shape, dtype = tf.TensorShape(kept.shape_and_type[0].shape), tf.as_dtype(kept.shape_and_type[0].dtype)
            path = names.get(id(handle), "a generator of random numbers").removesuffix(":0")
            if not shape.is_fully_defined():
                shape = resource_ops.variable_shape(handle).numpy()
            if dtype in (tf.resource, tf.variant, tf.string):
                raise UnkeptStateError(f"its step uses {path}, of the type {dtype.name}, which no checkpoint can hold")
            found.append((id(handle), HiddenVariable(handle, path, shape, dtype)))
    return found


def check_ops(graph: Any) -> None:
    """Refuses a graph that changes what is no variable.

    Raises:
        UnkeptStateError: it does; the message says what.
    """
    for node in nodes(graph):
        for op, what in _UNKEPT_OPS.items():
            if node.op.startswith(op):
                raise UnkeptStateError(
                    f"its step {what} ({node.name.rpartition('/')[2]}), which no checkpoint can hold: keep it in a"
                    " variable of the model"
                )


def nodes(graph: Any) -> list[Any]:
    """Every op of a graph, those of its functions among them."""
    definition = graph.graph.as_graph_def()
    return [*definition.node, *(node for function in definition.library.function for node in function.node_def)]


def reachable_values(model: Any) -> dict[int, Any]:
    """The values of all variables that a model's attributes lead to, by their handles' ids."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    parts: list[tuple[Any, int]] = [(model, 0)]
    while parts and len(seen) < _PARTS_MAX:
        part, depth = parts.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | np.ndarray | type | None):
            continue
        seen.add(id(part))
        if isinstance(part, keras.Variable | tf.Variable):
            variable = tf_variable(part)
            if hasattr(variable, "handle"):
                found[id(variable.handle)] = variable.numpy()
        elif isinstance(part, Mapping):
            parts += [(inner, depth) for inner in part.values()]
        elif isinstance(part, list | tuple | set):
            parts += [(inner, depth) for inner in part]
        elif depth < _DEPTH_MAX and hasattr(part, "__dict__"):
            parts += [(inner, depth + 1) for inner in vars(part).values()]
    return found


def tf_variable(variable: Any) -> Any:
    """TensorFlow's own variable."""
    return variable.value if isinstance(variable, keras.Variable) else variable
