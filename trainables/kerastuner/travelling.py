"""Values of a module that lies in a file of the user's, on their way to other processes.

Pickle would name the module, which no other process can import; those of the main file and of notebooks go by value.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import Any


class Travelling:
    """Holds a class, a function or an instance; pickled, it names the file that the value's class lies in."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        owner = self.value if _is_definition(self.value) else type(self.value)
        file = _plain_file(owner)
        if file is None:
            return Travelling, (self.value,)
        state = None if owner is self.value else _state(self.value)
        return _from_file, (file, owner.__qualname__, state)


def _is_definition(value: Any) -> bool:
    return isinstance(value, type) or inspect.isfunction(value)


def _plain_file(owner: Any) -> str | None:
    """The file of a module that is neither the main one nor in a package."""
    module = sys.modules.get(owner.__module__)
    file = getattr(module, "__file__", None)
    is_plain = module is not None and owner.__module__ != "__main__" and not getattr(module, "__package__", "")
    return file if is_plain and file and file.endswith(".py") and "<locals>" not in owner.__qualname__ else None


def _state(instance: Any) -> dict[str, Any]:
    """An instance's attributes without its own methods, which KerasTuner puts among them."""
    return {name: value for name, value in vars(instance).items() if getattr(value, "__self__", None) is not instance}


def _from_file(path: str, name: str, state: dict[str, Any] | None) -> Travelling:
    from trainables.registry import load_module

    value: Any = load_module(Path(path))
    for part in name.split("."):
        value = getattr(value, part)
    if state is None:
        return Travelling(value)
    instance = object.__new__(value)
    vars(instance).update(state)
    if hasattr(value, "_build_wrapper"):  # as KerasTuner's own HyperModel.__init__ does
        instance._build, instance.build = instance.build, instance._build_wrapper
    return Travelling(instance)
