"""What callbacks hold between two epochs, as plain values and arrays, for a checkpoint without a pickle."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import io
import json
import logging
import random
import re
import types
from collections import deque
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.callbacks.monitor_callback import MonitorCallback

_OF_EVERY_CALLBACK = frozenset({"_model", "model", "params"})
_MADE_ANEW = (
    (keras.callbacks.CSVLogger, frozenset({"csv_file", "writer"})),
    (MonitorCallback, frozenset({"monitor_op", "min_delta"})),  # when it sees its first metrics
)
"""Attributes of Keras's own callbacks that a new training makes again."""
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType, np.ufunc)
_DEPTH_MAX = 8
_PLAIN = (bool, int, float, str, type(None))
_WITHOUT_STATE = (
    *_FUNCTIONS,
    types.ModuleType,
    types.MethodWrapperType,
    re.Pattern,
    np.dtype,
    io.IOBase,
    logging.Logger,
    keras.Model,
    tf.data.Dataset,
    tf.DType,
)
_SKIP = object()


class KeptStateError(ValueError):
    """A callback holds what no checkpoint can keep; the message names it and says what to do."""


@dataclasses.dataclass
class CallbackState:
    """The callbacks' state: `tree` is JSON's, and stands for arrays by their place in `arrays`."""

    tree: list[Any]
    arrays: list[np.ndarray[Any, Any]]
    _at_begin: list[_Begin] = dataclasses.field(default_factory=list)

    @classmethod
    def empty(cls) -> CallbackState:
        return cls([], [])

    def begin(self, callbacks: list[Any]) -> None:
        """Notes what the callbacks hold when a training begins: what stays as it is needs no place in a checkpoint.

        Raises:
            KeptStateError: as of `of`.
        """
        self._at_begin = [_Begin() if _has_methods(callback) else _Begin.of(callback) for callback in callbacks]

    def of(self, callbacks: list[Any]) -> CallbackState:
        """What they hold now that they did not at the beginning.

        Raises:
            KeptStateError: a callback holds something that cannot be kept, and has no `get_state`.
        """
        arrays: list[np.ndarray[Any, Any]] = []
        tree = []
        for callback, at_begin in zip(callbacks, self._at_begin, strict=True):
            kept: dict[str, Any] = {"class": type(callback).__name__}
            if _has_methods(callback):
                kept["state"] = _encoded(callback.get_state(), arrays, f"{type(callback).__name__}.get_state()", 0)
            else:
                kept["attributes"] = _changed(callback, at_begin, arrays)
            tree.append(kept)
        return CallbackState(tree, arrays)

    def restore(self, callbacks: list[Any], kept: CallbackState) -> None:
        """Gives callbacks that have just begun what they held.

        Raises:
            KeptStateError: the state is of other callbacks.
        """
        names = [part["class"] for part in kept.tree]
        if names != [type(callback).__name__ for callback in callbacks]:
            found = ", ".join(type(callback).__name__ for callback in callbacks)
            raise KeptStateError(f"the checkpoint is of the callbacks {', '.join(names)}, but got {found}")
        for callback, part in zip(callbacks, kept.tree, strict=True):
            if "state" in part:
                callback.set_state(_decoded(part["state"], kept.arrays, None))
            for name, value in part.get("attributes", {}).items():
                object.__setattr__(callback, name, _decoded(value, kept.arrays, vars(callback).get(name)))

    def to_arrays(self) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of a checkpoint's file that hold it."""
        if not self.tree:
            return {}
        text = np.frombuffer(json.dumps(self.tree).encode(), np.uint8)
        return {"callbacks": text, **{f"callbacks_{index}": array for index, array in enumerate(self.arrays)}}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray[Any, Any]]) -> CallbackState | None:
        """What `to_arrays` made; None where there is none.

        Raises:
            ValueError: it is damaged.
        """
        if "callbacks" not in arrays:
            return None
        tree = json.loads(arrays["callbacks"].tobytes().decode())
        if not isinstance(tree, list) or not all(isinstance(part, dict) and "class" in part for part in tree):
            raise ValueError("its state of callbacks must be a list")
        return cls(tree, [arrays[f"callbacks_{index}"] for index in range(len(arrays) - 1)])


@dataclasses.dataclass
class _Begin:
    """What a callback's attributes were when the training began, and which of them held objects of their own."""

    digests: dict[str, str] = dataclasses.field(default_factory=dict)
    objects: set[str] = dataclasses.field(default_factory=set)

    @classmethod
    def of(cls, callback: Any) -> _Begin:
        begin, anew = cls(), _made_anew(callback)
        for name, value in vars(callback).items():
            arrays: list[np.ndarray[Any, Any]] = []
            encoded = _SKIP if name in anew else _encoded(value, arrays, _named(callback, name), 0)
            if encoded is not _SKIP:
                begin.digests[name] = _digest(encoded, arrays)
                begin.objects |= _objects(encoded, name)
        return begin


def _changed(callback: Any, begin: _Begin, arrays: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    """The attributes that are not as they were when the training began, encoded.

    Raises:
        KeptStateError: one cannot be kept, or holds an object that a new callback will not have.
    """
    found, anew = {}, _made_anew(callback)
    for name, value in vars(callback).items():
        own: list[np.ndarray[Any, Any]] = []
        encoded = _SKIP if name in anew else _encoded(value, own, _named(callback, name), 0)
        if encoded is _SKIP and name in begin.digests and isinstance(value, _FUNCTIONS):
            raise _unkeepable(_named(callback, name), value)
        if encoded is _SKIP or _digest(encoded, own) == begin.digests.get(name):
            continue
        if _objects(encoded, name) - begin.objects:
            raise _unkeepable(_named(callback, name), value)
        found[name] = _encoded(value, arrays, _named(callback, name), 0)
    return found


def _made_anew(callback: Any) -> frozenset[str]:
    """The attributes that a new callback gets by itself."""
    return _OF_EVERY_CALLBACK.union(*(names for kind, names in _MADE_ANEW if isinstance(callback, kind)))


def _objects(encoded: Any, path: str) -> set[str]:
    """Where in an encoded value objects stand that only a callback made anew can give."""
    if isinstance(encoded, list):
        parts = (_objects(part, f"{path}.{index}") for index, part in enumerate(encoded))
        return set().union(*parts)
    if not isinstance(encoded, dict):
        return set()
    ((kind, inner),) = encoded.items()
    if kind == "object":
        return {path}.union(*(_objects(part, f"{path}.{name}") for name, part in inner.items()))
    if kind in ("variables", "random", "generator", "enum", "skipped"):
        return {path}
    return _objects(inner, path) if isinstance(inner, list) else set()


def _has_methods(callback: Any) -> bool:
    return callable(getattr(callback, "get_state", None)) and callable(getattr(callback, "set_state", None))


def _named(callback: Any, name: str) -> str:
    return f"{type(callback).__name__}.{name}"


def _digest(encoded: Any, arrays: list[np.ndarray[Any, Any]]) -> str:
    digest = hashlib.blake2b(digest_size=16)

    def add(part: Any) -> None:
        if isinstance(part, dict) and len(part) == 1 and next(iter(part)) in ("array", "scalar", "tensor"):
            array = arrays[next(iter(part.values()))]
            digest.update(f"{array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        elif isinstance(part, dict):
            for key, value in part.items():
                digest.update(f"{key}:".encode())
                add(value)
        elif isinstance(part, list):
            digest.update(f"[{len(part)}".encode())
            for value in part:
                add(value)
        else:
            digest.update(f"{type(part).__name__} {part!r};".encode())

    add(encoded)
    return digest.hexdigest()


def _encoded(value: Any, arrays: list[np.ndarray[Any, Any]], where: str, depth: int) -> Any:
    """A value as JSON has it; `_SKIP` for what has no state of its own.

    Raises:
        KeptStateError: it cannot be kept.
    """
    if type(value) in _PLAIN:
        return value

    def array(kind: str, values: Any) -> dict[str, int]:
        arrays.append(np.array(values))
        return {kind: len(arrays) - 1}

    def each(values: Any) -> list[Any]:
        encoded = [_encoded(part, arrays, f"{where}[{index}]", depth + 1) for index, part in enumerate(values)]
        return [{"skipped": True} if part is _SKIP else part for part in encoded]

    if depth > _DEPTH_MAX:
        raise _unkeepable(where, value)
    if isinstance(value, _WITHOUT_STATE) or _is_of_the_machine(value):
        return _SKIP
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return array("array", value)
    if isinstance(value, np.generic):
        return array("scalar", value)
    if isinstance(value, tf.Tensor) and hasattr(value, "numpy"):
        return array("tensor", value.numpy())
    if isinstance(value, tf.Variable | keras.Variable):
        return {"variables": [array("array", value.numpy())]}
    if isinstance(value, keras.Layer | keras.Optimizer | keras.Metric | keras.random.SeedGenerator):
        variables = [value.state] if isinstance(value, keras.random.SeedGenerator) else value.variables
        return {"variables": [array("array", variable.numpy()) for variable in variables]}
    if isinstance(value, random.Random):
        return {"random": each(value.getstate())}
    if isinstance(value, np.random.Generator):
        return {"generator": _encoded(value.bit_generator.state, arrays, where, depth + 1)}
    if isinstance(value, np.random.RandomState):
        return {"generator": _encoded(value.get_state(legacy=False), arrays, where, depth + 1)}
    if isinstance(value, list | tuple | set | frozenset | deque):
        kind = next(name for name in ("list", "tuple", "set", "frozenset", "deque") if _is(value, name))
        return {kind: each(sorted(value, key=repr) if kind.endswith("set") else value)}
    if isinstance(value, Mapping):
        return {"dict": [each(item) for item in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, PurePath):
        return {"path": str(value)}
    if isinstance(value, enum.Enum):
        return {"enum": value.name}
    if isinstance(value, str | int | float):
        return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if hasattr(value, "__dict__") and not hasattr(value, "__next__"):
        inner = {}
        for name, part in vars(value).items():
            encoded = _encoded(part, arrays, f"{where}.{name}", depth + 1)
            if encoded is not _SKIP:
                inner[name] = encoded
        return {"object": inner}
    raise _unkeepable(where, value)


def _is(value: Any, name: str) -> bool:
    kinds = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "deque": deque}
    return isinstance(value, kinds[name])


def _is_of_the_machine(value: Any) -> bool:
    """Locks, writers of files and the like, which a new training makes anew."""
    module = type(value).__module__.partition(".")[0]
    if module in ("_thread", "threading", "_csv", "csv", "weakref", "queue", "concurrent"):
        return True
    return module == "tensorflow" and not isinstance(value, tf.Tensor | tf.Variable)


def _unkeepable(where: str, value: Any) -> KeptStateError:
    callback, _, attribute = where.partition(".")
    return KeptStateError(
        f"callback {callback} holds {attribute} ({type(value).__name__}), which no checkpoint can keep: give it"
        " get_state() and set_state(state), of plain values and arrays"
    )


def _decoded(encoded: Any, arrays: list[np.ndarray[Any, Any]], current: Any) -> Any:
    """The value that was encoded; objects that are there already are given it."""
    if not isinstance(encoded, dict):
        return encoded
    ((kind, inner),) = encoded.items()

    def each(values: Any, currents: Any = ()) -> list[Any]:
        known = [*currents] if isinstance(currents, list | tuple | deque) else []
        known += [None] * (len(values) - len(known))
        return [_decoded(value, arrays, now) for value, now in zip(values, known, strict=False)]

    match kind:
        case "array":
            return arrays[inner].copy()
        case "scalar":
            return arrays[inner][()]
        case "tensor":
            return tf.constant(arrays[inner])
        case "list":
            return _filled(current, each(inner, current))
        case "tuple":
            values = each(inner, current)
            return type(current)(*values) if hasattr(current, "_fields") else tuple(values)
        case "set" | "frozenset":
            return (set if kind == "set" else frozenset)(each(inner))
        case "deque":
            return deque(each(inner), maxlen=getattr(current, "maxlen", None))
        case "dict":
            return _mapping(inner, arrays, current)
        case "bytes":
            return bytes.fromhex(inner)
        case "path":
            return PurePath(inner) if current is None else type(current)(inner)
        case "skipped":
            return current
        case "enum":
            return type(current)[inner]
        case "random":
            version, numbers, *rest = each(inner)
            current.setstate((version, tuple(numbers), *rest))
        case "generator":
            state = _decoded(inner, arrays, None)
            if isinstance(current, np.random.RandomState):
                current.set_state(state)
            else:
                current.bit_generator.state = state
        case "variables":
            known = [current] if isinstance(current, tf.Variable | keras.Variable) else None
            if known is None:
                is_seed = isinstance(current, keras.random.SeedGenerator)
                known = [current.state] if is_seed else current.variables
            for variable, value in zip(known, inner, strict=True):
                variable.assign(arrays[value["array"]])
        case "object":
            for name, value in inner.items():
                object.__setattr__(current, name, _decoded(value, arrays, vars(current).get(name)))
    return current


def _filled(current: Any, values: list[Any]) -> list[Any]:
    """A list that others may hold, too, stays the same one."""
    if isinstance(current, list):
        current[:] = values
        return current
    return values


def _mapping(items: list[Any], arrays: list[np.ndarray[Any, Any]], current: Any) -> Any:
    pairs = []
    for key, value in items:
        name = _decoded(key, arrays, None)
        known = current.get(name) if isinstance(current, Mapping) else None
        pairs.append((name, _decoded(value, arrays, known)))
    if isinstance(current, dict):
        current.clear()
        current.update(dict(pairs))
        return current
    return dict(pairs)
