"""Which parameters the user's own code reads, found by parameters that note who asks for them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pydantic

from trainables.contract import Params

_ALL = frozenset({"__dict__", "__getstate__", "__reduce_ex__", "model_dump", "model_dump_json", "model_copy"})
"""What gives all parameters at once, so that nobody knows which of them are used."""
_TRAINABLES = Path(__file__).parents[1]
_ENGINE = (str(_TRAINABLES / "training"), str(_TRAINABLES / "schedules.py"), str(_TRAINABLES / "probing"))
_PASSES_ON = (str(Path(pydantic.__file__).parent), str(_TRAINABLES / "training" / "reads.py"))
"""Code that asks for somebody else."""


def tracked(known: type[Params], read: set[str]) -> type[Params]:
    """The same parameters; what anything but the training path reads of them is added to `read`."""
    fields = frozenset(known.model_fields)

    def __getattribute__(self: Any, name: str) -> Any:
        if (name in fields or name in _ALL) and not _is_ours():
            read.update(fields if name in _ALL else (name,))
        return super(made, self).__getattribute__(name)

    namespace = {
        "__getattribute__": __getattribute__,
        "__module__": known.__module__,
        "__qualname__": known.__qualname__,
    }
    made: type[Params] = type(known.__name__, (known,), namespace)
    return made


def _is_ours() -> bool:
    """Whether the training path asks: the first caller that does not ask for another."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_PASSES_ON):
        if frame.f_back is None:
            return True
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(_ENGINE)
