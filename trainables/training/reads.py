"""Parameters that remember which of them were read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

_OF_EVERY_TRIAL = ("learning_rate", "batch_size", "epochs")


def valid_params(trainable: Any, params: dict[str, Any]) -> Any:
    """A trial's parameters as the trainable has them.

    Params that are no TrainingParams may know nothing of `epochs`, `learning_rate` and `batch_size`, which every sweep
    has; and none need know of a number that a list shows by its length.

    Raises:
        ValidationError: one is unknown or has a wrong value.
    """
    known = trainable.Params.model_fields
    if trainable.Params.model_config.get("extra") == "allow":
        return trainable.Params(**params)
    lengths = [len(value) for value in params.values() if isinstance(value, list)]
    handed = {
        name: value
        for name, value in params.items()
        if name in known or (name not in _OF_EVERY_TRIAL and not _is_length(value, lengths))
    }
    return trainable.Params(**handed)


def _is_length(value: Any, lengths: Sequence[int]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in lengths


def watched(params: BaseModel) -> tuple[Any, set[str]]:
    """The same parameters, and the set of the names that are read of them from now on.

    A dump reads all of them: what is done with it cannot be told.
    """
    kind = type(params)
    names = frozenset(kind.model_fields)
    read: set[str] = set()

    def get(self: Any, name: str) -> Any:
        if name in names:
            read.add(name)
        elif name in ("__dict__", "model_dump", "model_dump_json", "dict", "__iter__"):
            read.update(names)
        return kind.__getattribute__(self, name)

    copy = params.model_copy()
    members = {"__getattribute__": get, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    object.__setattr__(copy, "__class__", type(kind.__name__, (kind,), members))
    read.clear()
    return copy, read
