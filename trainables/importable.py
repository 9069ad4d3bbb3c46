"""Trainables of modules: of an installed package, of one in a folder of `sys.path`, or of the project around the spec.

`package.module:Class` in a spec. Workers import it as this process does, or what was kept of its package.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from trainables.contract import Trainable
from trainables.kerastuner import standin
from trainables.kerastuner.adapter import of_module
from trainables.project import holding
from trainables.registry import UnknownTrainableError, checked
from trainables.scripts.functions import Loop, loop_of
from trainables.sources import Sources, activate

_STAYS = "RAY_CHDIR_TO_TRIAL_DIR"
"""Is 0 in the jobs of a cluster, whose working directory is the shipped folder, elsewhere on each node."""


def is_importable(trainable: str) -> bool:
    """Whether a spec's `trainable` is written as a module's class."""
    module, _, name = trainable.rpartition(":")
    is_module = re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", module) is not None
    return is_module and not module.endswith(".py") and module not in ("python", "command") and name.isidentifier()


def load_importable(trainable: str, sources: Sources | None = None) -> type[Trainable] | Loop:
    """The class.

    Args:
        sources: its package as it was kept, which is imported from there; by default it is as it is.

    Raises:
        UnknownTrainableError: there is no such module, or no such trainable in it.
        Exception: whatever the module raises when imported.
    """
    name, _, class_name = trainable.rpartition(":")
    look_around(trainable, Path.cwd())
    if module_file(trainable) is None:
        where = "neither installed nor in the project around the spec (its root or src/)"
        raise UnknownTrainableError(f"{name}: must be a module that Python finds, but there is none: {where}")
    standin.provide()
    if sources is not None and (folder := import_folder(trainable)) is not None:
        activate(Path(os.path.abspath(folder)), sources)
    module = importlib.import_module(name)
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, Trainable) and not inspect.isabstract(found)):
        if (own := loop_of(module, class_name) or of_module(module, class_name)) is not None:
            return checked(own, name)
        rule = f"must hold a concrete subclass of Trainable named {class_name}, but has none"
        raise UnknownTrainableError(f"{name}: {rule}")
    return found


def module_file(trainable: str) -> Path | None:
    """The file of its module; None if Python finds none."""
    spec = _found(trainable)
    return Path(str(spec.origin)).resolve() if spec is not None else None


def import_folder(trainable: str) -> str | None:
    """The folder from which workers find it, too: what its top package lies in.

    Where a cluster's job runs it is relative to the working directory, which lies elsewhere on each node.
    """
    spec = _found(trainable)
    if spec is None:
        return None
    file = Path(os.path.abspath(str(spec.origin)))  # not resolved: a pod's files are links to another folder in each
    folder = file.parents[spec.name.count(".") + (file.name == "__init__.py")]
    is_shipped = os.environ.get(_STAYS) == "0" and folder.is_relative_to(Path.cwd())
    return str(folder.relative_to(Path.cwd()) if is_shipped else folder)


def look_in(folder: str | None) -> None:
    """Lets this process import from there what it finds nowhere else."""
    if folder is not None and (path := os.path.abspath(folder)) not in sys.path:
        sys.path.append(path)


def look_around(trainable: str, start: Path) -> None:
    """Lets this process import a trainable's module from the project around a folder where nothing else has it."""
    module = trainable.rpartition(":")[0]
    if is_importable(trainable) and not _is_found(module.partition(".")[0]):
        folder = holding(module, start)
        look_in(None if folder is None else str(folder))


def _is_found(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _found(trainable: str) -> ModuleSpec | None:
    """Where Python finds its module's file."""
    name = trainable.rpartition(":")[0]
    try:
        spec = _without_imports(name) or importlib.util.find_spec(name)
    except Exception:  # which a package may raise that has no such module, either
        return None
    return spec if spec is not None and spec.origin and spec.has_location else None


def _without_imports(name: str) -> ModuleSpec | None:
    """A module's place by those of the packages that it lies in, none of which is imported; they may import Keras."""
    top, *rest = name.split(".")
    spec, known = importlib.util.find_spec(top), top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        known = f"{known}.{part}"
        spec = PathFinder.find_spec(known, list(spec.submodule_search_locations))
    return spec
