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

from trainables.contract import Trainable

_FOLDER = Path(__file__).parent
_LISTED = 10
"""Classes of a user's file that a message names."""


class UnknownTrainableError(LookupError):
    """There is no trainable of this name, in this file, or there is no such file."""


def names() -> list[str]:
    """Every trainable of this package, by name; each has a default sweep beside it."""
    return sorted(path.stem.replace("_", "-") for path in _FOLDER.glob("*.yaml") if path.with_suffix(".py").exists())


def load(name: str) -> type[Trainable]:
    """The trainable of this name.

    Raises:
        UnknownTrainableError: there is none.
    """
    _check_name(name)
    return _only_trainable(importlib.import_module(f"trainables.{name.replace('-', '_')}"))


def default_sweep(name: str) -> Path:
    """The spec of a trainable's default sweep.

    Raises:
        UnknownTrainableError: there is no trainable of this name.
    """
    _check_name(name)
    return _FOLDER / f"{name.replace('-', '_')}.yaml"


def load_file(path: Path, class_name: str) -> type[Trainable]:
    """A user's own trainable, `./my_model.py:MyModel` in a spec. Its file may import others beside it.

    Raises:
        UnknownTrainableError: there is no such file, or no such trainable in it.
        Exception: whatever the file raises when imported.
    """
    path = path.resolve()
    if not path.is_file():
        files = sorted(file.name for file in path.parent.glob("*.py") if file.is_file())
        near = difflib.get_close_matches(path.name, files, n=1)
        raise UnknownTrainableError(f"{path}: must be a Python file, but there is no such file{_hint(near)}")
    module = _import_file(path)
    found = {cls.__name__: cls for cls in _trainables(module)}
    if class_name not in found:
        near = difflib.get_close_matches(class_name, found, n=1)
        hint = _hint(near) or (f"; known: {', '.join(list(found)[:_LISTED])}" if found else "")
        raise UnknownTrainableError(
            f"{path}: must hold a concrete subclass of Trainable named {class_name}, but has none{hint}"
        )
    return found[class_name]


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
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if str(path.parent) not in sys.path:
            sys.path.append(str(path.parent))  # and left there: it may import others beside it at any time
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
