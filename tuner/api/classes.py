"""How a spec names the trainable that a program passes: a name, a class in a file or package, or a class by value."""

from __future__ import annotations

import inspect
import os
import sys
from pathlib import Path
from typing import Any

from trainables import registry
from trainables.contract import Trainable
from trainables.given import Given
from trainables.importable import is_importable, module_file
from trainables.kerastuner import adapted
from trainables.scripts.functions import is_loop
from tuner.api.hypermodels import is_model, written_as
from tuner.base.errors import UsageError
from tuner.inspection.provenance.given import given_class
from tuner.spec.space import shown


def named(trainable: Any) -> tuple[Any, Given | None]:
    """The `trainable` of the spec, and the class itself if other processes cannot import it by that text.

    Raises:
        UsageError: it is not a concrete subclass of Trainable.
    """
    if isinstance(trainable, str):
        return trainable, None
    if is_model(trainable):
        return _model(trainable)
    if inspect.isfunction(trainable) and is_loop(trainable):
        return _loop(trainable), None
    if not (isinstance(trainable, type) and issubclass(trainable, Trainable)):
        raise UsageError(
            "trainable: must be a name, ./file.py:Class or a subclass of Trainable, or a KerasTuner model, but got"
            f" {_what(trainable)}"
        )
    if inspect.isabstract(trainable):
        lacks = " and ".join(sorted(trainable.__abstractmethods__))
        raise UsageError(f"trainable: must be a concrete class, but {trainable.__name__} has no {lacks}")
    if (shipped := _shipped(trainable)) is not None:
        return shipped, None
    if (file := _file(trainable)) is not None:
        return f"{file}:{trainable.__name__}", None
    if _is_of_package(trainable):
        return f"{trainable.__module__}:{trainable.__name__}", None
    given = given_class(trainable)
    return given.name, given


def _model(model: Any) -> tuple[str, Given | None]:
    """A KerasTuner model: by its file where it is a class or a function there, else by value."""
    written = written_as(model)
    if written is model and (file := _file(written)) is not None:
        return f"{file}:{written.__name__}", None
    given = given_class(adapted(model, written.__name__))
    return given.name, given


def _loop(function: Any) -> str:
    """A training loop, which the process of each trial must be able to import."""
    if (file := _file(function)) is not None:
        return f"{file}:{function.__name__}"
    if _is_of_package(function):
        return f"{function.__module__}:{function.__name__}"
    raise UsageError(
        f"trainable: {function.__name__} is a function of a notebook or a main script, which the process of a trial"
        f' cannot import: write it to a file, and give trainable="./file.py:{function.__name__}"'
    )


def _what(trainable: Any) -> str:
    return f"the class {trainable.__name__}" if isinstance(trainable, type) else shown(trainable)


def _shipped(trainable: type[Trainable]) -> str | None:
    package, _, module = trainable.__module__.rpartition(".")
    name = module.replace("_", "-")
    return name if package == "trainables" and name in registry.names() else None


def _file(trainable: Any) -> str | None:
    """The file from which workers can import the class: a module outside of packages that defines it by its name."""
    module = sys.modules.get(trainable.__module__)
    path = getattr(module, "__file__", None)
    if module is None or trainable.__module__ == "__main__" or not path or not path.endswith(".py"):
        return None
    is_there = vars(module).get(trainable.__name__) is trainable and os.path.isfile(path)
    in_package = getattr(module, "__package__", "") and not _stands_alone(Path(path))
    return os.path.realpath(path) if is_there and not in_package else None


def _is_of_package(trainable: Any) -> bool:
    """Whether workers can import the class by the name of its module."""
    text = f"{trainable.__module__}:{trainable.__name__}"
    module = sys.modules.get(trainable.__module__)
    if module is None or trainable.__module__ == "__main__" or not is_importable(text):
        return False
    return vars(module).get(trainable.__name__) is trainable and module_file(text) is not None


def _stands_alone(path: Path) -> bool:
    """Whether a module lies outside of regular packages, so that it has no relative imports."""
    return not (path.parent / "__init__.py").is_file()
