"""Trainables of modules that Python finds by itself: an installed package, or one in a folder of `sys.path`.

`package.module:Class` in a spec. Workers import it as this process does; a kept copy of it is only looked at.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path

from trainables.contract import Trainable
from trainables.kerastuner import standin
from trainables.kerastuner.adapter import of_module
from trainables.registry import UnknownTrainableError
from trainables.scripts.functions import Loop, loop_of


def is_importable(trainable: str) -> bool:
    """Whether a spec's `trainable` is written as a module's class."""
    module, _, name = trainable.rpartition(":")
    is_module = re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", module) is not None
    return is_module and not module.endswith(".py") and module not in ("python", "command") and name.isidentifier()


def load_importable(trainable: str) -> type[Trainable] | Loop:
    """The class.

    Raises:
        UnknownTrainableError: there is no such module, or no such trainable in it.
        Exception: whatever the module raises when imported.
    """
    name, _, class_name = trainable.rpartition(":")
    if module_file(trainable) is None:
        raise UnknownTrainableError(f"{name}: must be a module that Python finds, but there is none (see sys.path)")
    standin.provide()
    module = importlib.import_module(name)
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, Trainable) and not inspect.isabstract(found)):
        if (own := loop_of(module, class_name) or of_module(module, class_name)) is not None:
            return own
        rule = f"must hold a concrete subclass of Trainable named {class_name}, but has none"
        raise UnknownTrainableError(f"{name}: {rule}")
    return found


def module_file(trainable: str) -> Path | None:
    """The file of its module; None if Python finds none. The packages that it lies in are imported for that."""
    try:
        spec = importlib.util.find_spec(trainable.rpartition(":")[0])
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin and spec.has_location else None


def import_folder(trainable: str) -> str | None:
    """The folder from which workers on this machine find it, too: what its top package lies in."""
    file = module_file(trainable)
    if file is None:
        return None
    depth = trainable.rpartition(":")[0].count(".") + (file.name == "__init__.py")
    return str(file.parents[depth])


def look_in(folder: str | None) -> None:
    """Lets this process import from there what it finds nowhere else."""
    if folder is not None and folder not in sys.path:
        sys.path.append(folder)
