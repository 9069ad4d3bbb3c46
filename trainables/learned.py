"""What `load_data` leaves in a trainable beside the data: means, a vocabulary, a fitted scaler.

`build_model` and `select_data` use it in other processes than the one that loaded the data, and long afterwards. So it
is pickled once, handed to the workers with the data, and kept with the sweep. Imports no Keras.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import numpy as np

from trainables.contract import Data, Trainable
from trainables.exceptions import message_of

LEARNED_BYTES_MAX = 64 << 20
"""More is not kept with the sweep: each process that needs it loads the data itself."""
_OF_THE_SPEC = ("data", "fixed_params")
"""Attributes that every process sets itself."""
_WATCHED_MAX = 1000
"""A container of a module or a class with more entries is not looked into."""
_SECRET = re.compile(r"passw|secret|token$|credential|api_?key|access_?key", re.IGNORECASE)
_CONSTANTS = (str, bytes, int, float, complex, bool, type(None), type, types.FunctionType, types.ModuleType)


class IncompleteError(Exception):
    """What was learned refers to the data, which are not there."""


@dataclass(frozen=True)
class Learned:
    """What `load_data` left, pickled."""

    pickled: bytes = field(default=b"", repr=False)
    names: tuple[str, ...] = ()
    """The attributes, such as `mean`; those of the class or of its module as `Churn.mean` or `churn.MEAN`."""
    module: str = ""
    """The name of the class's module in the process that pickled it."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """What could not be pickled, and why."""

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pickled).hexdigest()


@dataclass(frozen=True)
class _Before:
    values: dict[tuple[str, str], Any]
    digests: dict[tuple[str, str], str]


def load_and_learn(trainable: Trainable) -> tuple[Data, Learned]:
    """Loads the data and sees what that leaves in the trainable.

    Raises:
        Exception: whatever `load_data` raises.
    """
    before = _Before(_places(trainable), _digests(trainable))
    data = trainable.load_data()
    try:
        return data, _learned(trainable, before, data)
    except RecursionError:
        return data, Learned(left_out={"an attribute": "it refers to itself too deeply"})


def teach(trainable: Trainable, learned: Learned, data: Data | None = None) -> None:
    """Puts what was learned in another process into this trainable.

    Args:
        data: the same data as it was learned with, where they are at hand.

    Raises:
        IncompleteError: it refers to the data, and there are none.
        Exception: whatever its classes raise while they are unpickled.
    """
    if not learned.pickled:
        return
    module = type(trainable).__module__
    if learned.module not in sys.modules and module in sys.modules:
        sys.modules[learned.module] = sys.modules[module]  # the same file, under the name that it had there
    known = _Unpickler(io.BytesIO(learned.pickled), [] if data is None else list(_arrays(data))).load()
    owners = _owners(trainable)
    for (owner, name), value in known.items():
        setattr(owners[owner], name, value)


def _learned(trainable: Trainable, before: _Before, data: Any) -> Learned:
    arrays = list(_arrays(data)) if isinstance(data, Data) else []
    now, digests = _places(trainable), _digests(trainable)
    found = {place: value for place, value in now.items() if _is_new(place, value, before, digests)}
    secrets = [place for place, value in found.items() if isinstance(value, str | bytes) and _SECRET.search(place[1])]
    left_out = {_name(trainable, place): "it may be a secret, which is kept nowhere" for place in secrets}
    found = {place: value for place, value in found.items() if place not in secrets}
    try:
        pickled = _pickled(found, arrays)
    except Exception:  # one of them is of a kind that cannot be pickled
        for place, value in list(found.items()):
            try:
                _pickled(value, arrays)
            except Exception as error:
                left_out[_name(trainable, place)] = " ".join(message_of(error).split())[:200] or type(error).__name__
                del found[place]
        pickled = _pickled(found, arrays)
    names = tuple(_name(trainable, place) for place in found)
    if len(pickled) > LEARNED_BYTES_MAX:
        size = f"{len(pickled) / 2**20:.0f} MiB, more than {LEARNED_BYTES_MAX >> 20}"
        return Learned(left_out={**left_out, **dict.fromkeys(names, f"it is too large: together {size}")})
    return Learned(pickled if found else b"", names, type(trainable).__module__, left_out)


def _is_new(place: tuple[str, str], value: Any, before: _Before, digests: dict[tuple[str, str], str]) -> bool:
    """Whether `load_data` may have made or changed it."""
    if place not in before.values or before.values[place] is not value:
        return place[0] == "self" or not isinstance(value, types.ModuleType | types.FunctionType | type)
    if place[0] == "self":  # made by the constructor, and filled since, maybe
        return not isinstance(value, _CONSTANTS)
    return digests.get(place) != before.digests.get(place)


def _owners(trainable: Trainable) -> dict[str, Any]:
    """Where a trainable may keep what it learns: itself, its own classes and their module."""
    classes = [cls for cls in type(trainable).__mro__ if _is_users(cls)]
    modules = {cls.__module__: sys.modules.get(cls.__module__) for cls in classes}
    own = modules.get(type(trainable).__module__)
    return {
        "self": trainable,
        **{f"class {cls.__name__}": cls for cls in reversed(classes)},
        **({"module": own} if own is not None and own.__name__ != "__main__" else {}),
    }


def _is_users(cls: type) -> bool:
    return cls is not Trainable and cls.__module__.partition(".")[0] not in ("abc", "builtins", "trainables")


def _places(trainable: Trainable) -> dict[tuple[str, str], Any]:
    """Every value that it may have learned, by owner and name."""
    return {
        (owner, name): value
        for owner, holder in _owners(trainable).items()
        for name, value in vars(holder).items()
        if not name.startswith("__") and not (owner == "self" and name in _OF_THE_SPEC)
        if not (owner != "self" and name.startswith("_abc_"))
    }


def _digests(trainable: Trainable) -> dict[tuple[str, str], str]:
    """Of what a class or a module holds and `load_data` may change in place: small containers, what can be fitted."""
    found = {}
    for place, value in _places(trainable).items():
        if place[0] == "self" or isinstance(value, _CONSTANTS):
            continue
        is_small = isinstance(value, dict | list | set) and len(value) <= _WATCHED_MAX
        if is_small or hasattr(value, "fit") or hasattr(value, "adapt"):
            try:
                found[place] = hashlib.sha256(_pickled(value, [])).hexdigest()
            except Exception:  # of a kind that cannot be pickled: it is not looked at
                continue
    return found


def _name(trainable: Trainable, place: tuple[str, str]) -> str:
    owner, name = place
    if owner == "self":
        return name
    holder = owner.removeprefix("class ") if owner != "module" else "its module"
    return f"{holder}.{name}" if owner != "module" else f"{name} of {holder}"


def _arrays(data: Data) -> Iterator[np.ndarray[Any, Any]]:
    """The arrays of the data, in an order that every process has."""
    parts: list[Any] = [data.train, data.validation, data.test]
    while parts:
        part = parts.pop(0)
        if isinstance(part, Mapping):
            parts[:0] = list(part.values())
        elif isinstance(part, tuple | list):
            parts[:0] = list(part)
        elif isinstance(part, np.ndarray):
            yield part


def _pickled(value: Any, arrays: list[np.ndarray[Any, Any]]) -> bytes:
    file = io.BytesIO()
    _Pickler(file, {id(array): index for index, array in enumerate(arrays)}).dump(value)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Names arrays of the data instead of writing them again; functions of no module go by value."""

    def __init__(self, file: io.BytesIO, arrays: dict[int, int]) -> None:
        super().__init__(file, protocol=5)
        self._arrays = arrays

    def persistent_id(self, value: Any) -> int | None:
        return self._arrays.get(id(value)) if isinstance(value, np.ndarray) else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, arrays: list[np.ndarray[Any, Any]]) -> None:
        super().__init__(file)
        self._arrays = arrays

    def persistent_load(self, index: Any) -> np.ndarray[Any, Any]:
        if not isinstance(index, int) or not 0 <= index < len(self._arrays):
            raise IncompleteError("what load_data left refers to the data")
        return self._arrays[index]
