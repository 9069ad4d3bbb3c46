"""Automatic names: a model's layers and metrics are called as a process's first ones are, whatever was built before.

Keras numbers them by process (`auc`, `auc_1`). A trainable may hold layers of its own, made with its module or by
`load_data`; new ones get other names than those, as one model may hold both.
"""

from __future__ import annotations

import collections
import re
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.utils.naming import uniquify

_COUNTERS = "object_name_uids"
_DEPTH_MAX = 6
_NUMBERED = re.compile(r"(?P<base>.+?)(?:_(?P<number>\d+))?")


@contextmanager
def first_names(trainable: Any) -> Iterator[None]:
    """What is built within is named as in a fresh process; afterwards this process goes on with its own numbers."""
    before = global_state.get_global_attribute(_COUNTERS)
    counters: collections.defaultdict[str, int] = collections.defaultdict(int)
    for layer in _held_layers(trainable):
        found = _NUMBERED.fullmatch(layer.name)
        assert found is not None
        counters[found["base"]] = max(counters[found["base"]], int(found["number"] or 0) + 1)
    global_state.set_global_attribute(_COUNTERS, counters)
    try:
        yield
    finally:
        global_state.set_global_attribute(_COUNTERS, before)


def rename_automatic(model: Any) -> None:
    """Gives a model that has an automatic name one that is new to this process, so that models can be combined."""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", type(model).__name__).lower()
    if re.fullmatch(rf"{re.escape(words)}(_\d+)?", model.name):
        model.name = uniquify(words)


def _held_layers(trainable: Any) -> list[Any]:
    """The layers that a trainable's attributes hold, and those that its methods name, as globals or in closures."""
    seen: set[int] = set()
    layers: list[Any] = []

    def look(value: Any, depth: int) -> None:
        if depth > _DEPTH_MAX or id(value) in seen or isinstance(value, str | bytes | int | float | None):
            return
        seen.add(id(value))
        if isinstance(value, keras.layers.Layer):
            layers.extend(value._flatten_layers())
        elif isinstance(value, dict):
            parts = list(value.values())
        elif isinstance(value, list | tuple | set):
            parts = list(value)
        else:
            parts = _of_code(value)
        if not isinstance(value, keras.layers.Layer):
            for part in parts[:1000]:
                look(part, depth + 1)

    look(vars(trainable), 0)
    for cls in type(trainable).__mro__:
        if cls.__module__.partition(".")[0] not in ("builtins", "abc"):
            look(dict(vars(cls)), 0)
    return layers


def _of_code(value: Any) -> list[Any]:
    """What a function's code names: globals, attributes of modules among them, and what it closes over."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    if not isinstance(value, types.FunctionType):
        return []
    names = set(_names(value.__code__))
    found = [value.__globals__[name] for name in sorted(names) if name in value.__globals__]
    found += [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
    for module in [part for part in found if isinstance(part, types.ModuleType)]:
        found += [vars(module)[name] for name in sorted(names) if name in vars(module)]
    return found


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
