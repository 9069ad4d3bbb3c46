"""Trainables by name: those of this package, and users' own from a file."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from trainables.contract import Trainable
from trainables.kerastuner import standin
from trainables.kerastuner.adapter import names_in, of_module
from trainables.scripts.functions import Loop, loop_of, mistake_in, names_of_loops
from trainables.sources import Sources, activate, load_main, run

_FOLDER = Path(__file__).parent
_LISTED = 10
"""Classes of a user's file that a message names."""


class UnknownTrainableError(LookupError):
    """There is no trainable of this name, in this file, or there is no such file."""


def names() -> list[str]:
    """Every trainable of this package, by name; each has a default sweep beside it."""
    return sorted(path.stem.replace("_", "-") for path in _FOLDER.glob("*.yaml") if path.with_suffix(".py").exists())


def load(name: str, sources: Sources | None = None) -> type[Trainable]:
    """The trainable of this name.

    Args:
        sources: its module as it was kept; by default as it is.

    Raises:
        UnknownTrainableError: there is none.
    """
    if sources is None:
        _check_name(name)
        return _only_trainable(importlib.import_module(f"trainables.{name.replace('-', '_')}"))
    return _only_trainable(_kept_module(_FOLDER, sources))


def module_file(name: str) -> Path:
    """The file of a trainable of this package.

    Raises:
        UnknownTrainableError: there is none.
    """
    _check_name(name)
    return _FOLDER / f"{name.replace('-', '_')}.py"


def default_sweep(name: str) -> Path:
    """The spec of a trainable's default sweep.

    Raises:
        UnknownTrainableError: there is no trainable of this name.
    """
    _check_name(name)
    return _FOLDER / f"{name.replace('-', '_')}.yaml"


def load_file(path: Path, class_name: str, sources: Sources | None = None) -> type[Trainable] | Loop:
    """A user's own trainable, `./my_model.py:MyModel` in a spec. Its file may import others beside it.

    Args:
        sources: the file, and those beside it, as they were kept; by default they are read as they are.

    Raises:
        UnknownTrainableError: there is no such file, or no such trainable in it.
        Exception: whatever the file raises when imported.
    """
    path = path.resolve()
    if sources is None and not path.is_file():
        files = sorted(file.name for file in path.parent.glob("*.py") if file.is_file())
        near = difflib.get_close_matches(path.name, files, n=1)
        raise UnknownTrainableError(f"{path}: must be a Python file, but there is no such file{_hint(near)}")
    standin.provide()
    module = _import_file(path) if sources is None else _import_kept(path, sources)
    found = {cls.__name__: cls for cls in _trainables(module)}
    if class_name not in found:
        if (own := loop_of(module, class_name) or of_module(module, class_name)) is not None:
            return checked(own, str(path))
        if callable(getattr(module, class_name, None)) and not isinstance(getattr(module, class_name), type):
            rule = f"{class_name} must take (params, report), or hp where KerasTuner would call it"
            raise UnknownTrainableError(f"{path}: {rule}, but it takes {_arguments(getattr(module, class_name))}")
        names = [*found, *names_in(module), *names_of_loops(module)]
        near = difflib.get_close_matches(class_name, names, n=1)
        hint = _hint(near) or (f"; known: {', '.join(names[:_LISTED])}" if names else "")
        raise UnknownTrainableError(
            f"{path}: must hold a concrete subclass of Trainable named {class_name}, but has none{hint}"
        )
    return found[class_name]


def checked(found: type[Trainable] | Loop, where: str) -> type[Trainable] | Loop:
    """What was found there, unless it is a loop that plainly cannot run.

    Raises:
        UnknownTrainableError: it is one.
    """
    if isinstance(found, Loop) and (mistake := mistake_in(found)):
        raise UnknownTrainableError(f"{where}: {mistake}")
    return found


def _arguments(function: Any) -> str:
    try:
        return str(inspect.signature(function))
    except (TypeError, ValueError):
        return "other arguments"


def load_module(path: Path) -> ModuleType:
    """A user's file as a module, imported once."""
    standin.provide()
    return _import_file(path.resolve())


def trainables_in(path: Path) -> list[str]:
    """The names of the concrete trainables in a user's file.

    Raises:
        Exception: whatever the file raises when imported.
    """
    return [cls.__name__ for cls in _trainables(load_module(path))]


def _check_name(name: str) -> None:
    if name not in names():
        near = difflib.get_close_matches(name.replace("_", "-"), names(), n=1)
        raise UnknownTrainableError(
            f"trainable must be one of {', '.join(names())} or ./file.py:ClassName, but got {name}{_hint(near)}"
        )


def _hint(near: list[str]) -> str:
    return f"; did you mean {near[0]}?" if near else ""


def _trainables(module: ModuleType) -> list[type[Trainable]]:
    """The concrete trainables that a module defines itself."""
    classes = (cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__)
    return [cls for cls in classes if issubclass(cls, Trainable) and not inspect.isabstract(cls)]


def _only_trainable(module: ModuleType) -> type[Trainable]:
    found = _trainables(module)
    assert len(found) == 1, f"{module.__name__} must define one trainable, but defines {len(found)}"
    return found[0]


def _import_file(path: Path) -> ModuleType:
    """Imports a version of a file once, under a name of its own, so that two files of one name do not meet."""
    version = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:16]
    name = f"tuner_user_{path.stem}_{version}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    _look_beside(path)
    return run(spec)


def _import_kept(path: Path, sources: Sources) -> ModuleType:
    """As `_import_file`, but the file and those beside it are as they were kept."""
    activate(path.parent, sources)
    _look_beside(path)
    return _kept_module(path.parent, sources)


def _kept_module(folder: Path, sources: Sources) -> ModuleType:
    version = hashlib.sha256(f"{folder}{sources.version}".encode()).hexdigest()[:16]
    name = f"tuner_user_{Path(sources.main).stem}_{version}"
    return sys.modules[name] if name in sys.modules else load_main(folder, sources, name)


def _look_beside(path: Path) -> None:
    """Lets a file import others beside it, at any time from now on."""
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
