"""Each trial's own trainable and data: what one trial changes, no other sees.

Data and attributes are shared by a process's trials, and by processes, so they are read-only. Most trainables only read
them. One that changes them in place, as `x -= mean` does, fails at that and is given copies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from trainables.contract import Data, Trainable
from trainables.exceptions import message_of

T = TypeVar("T")
Change = Callable[[Any], Any]

_SAYS_READ_ONLY = ("read-only", "writeable", "writable")
_DEPTH_MAX = 3


def read_only(trainable: Trainable, data: Data) -> tuple[Trainable, Data]:
    """The same, with read-only views in the place of all arrays, those that the trainable's attributes hold among them.

    The caller's own arrays stay as they are.
    """
    views: dict[int, Any] = {}  # one for each array, wherever it stands

    def view(array: Any) -> Any:
        if isinstance(array, np.ndarray) and id(array) not in views:
            views[id(array)] = array.view()
            views[id(array)].flags.writeable = False
        return views.get(id(array), array)

    return _with_arrays(trainable, view), _changed(data, view)


def isolated(trainable: Trainable, data: Data, work: Callable[[Trainable, Data], T]) -> T:
    """What `work` makes of a trainable and data of a trial's own.

    `work` is done again, on copies of all arrays, where it fails because one is read-only.

    Raises:
        Exception: whatever `work` raises.
    """
    try:
        return work(copy.copy(trainable), _changed(data, _own_frame))
    except Exception as error:
        if not is_read_only(error):
            raise
    return work(_with_arrays(trainable, _own), _changed(data, _own))


def is_read_only(error: BaseException) -> bool:
    """Whether an exception says that an array cannot be written."""
    said = message_of(error).lower()
    return isinstance(error, ValueError | TypeError | BufferError) and any(word in said for word in _SAYS_READ_ONLY)


def _own(part: Any) -> Any:
    return np.array(part) if isinstance(part, np.ndarray) else _own_frame(part)


def _own_frame(part: Any) -> Any:
    """A copy of a data frame, which cannot be read-only."""
    return part.copy() if hasattr(part, "iloc") and hasattr(part, "copy") else part


def _with_arrays(trainable: Trainable, change: Change) -> Trainable:
    own = copy.copy(trainable)
    vars(own).update(_each(vars(own), change))
    return own


def _changed(data: Data, change: Change) -> Data:
    return replace(data, **{name: _each(getattr(data, name), change) for name in ("train", "validation", "test")})


def _each(value: Any, change: Change, depth: int = 0) -> Any:
    """A structure of dicts, lists and tuples with each of its leaves changed."""
    if depth <= _DEPTH_MAX and type(value) in (list, tuple):
        return type(value)(_each(part, change, depth + 1) for part in value)
    if depth <= _DEPTH_MAX and type(value) is dict:
        return {key: _each(part, change, depth + 1) for key, part in value.items()}
    return change(value)
