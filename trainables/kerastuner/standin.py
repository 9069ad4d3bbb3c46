"""A module `keras_tuner` where it is not installed: `HyperModel`, `HyperParameters` and `Objective`, but no search.

Files of users find it under the names keras_tuner and kerastuner once `provide` was called. The installed package goes
before it.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from trainables.kerastuner.hyperparameters import HyperParameters

NAMES = ("keras_tuner", "kerastuner")
_INSIDE = ("engine", "engine.hypermodel", "engine.hyperparameters", "hypermodel", "hyperparameters")


class MissingKerasTunerError(ImportError):
    """Something of KerasTuner is used that only the installed package has."""


class HyperModel:
    """A family of models: `build(hp)` makes one of it, and `fit` may be overridden."""

    def __init__(self, name: str | None = None, tunable: bool = True) -> None:
        self.name, self.tunable = name, tunable

    def build(self, hp: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must have a method build(hp) that returns a model")

    def declare_hyperparameters(self, hp: Any) -> None:
        """Declares hyperparameters before the first build."""

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        return model.fit(*args, **kwargs)


class Objective:
    """A metric's name and direction, "min" or "max"."""

    def __init__(self, name: str, direction: str) -> None:
        self.name, self.direction = name, direction


class _StandIn(ModuleType):
    """Knows what a model needs; anything else is an error when it is called, or made a base class of."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _missing(f"{self.__name__}.{name}")


def _missing(name: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> NoReturn:
        raise MissingKerasTunerError(
            f"{name} needs KerasTuner, which is not installed: leave out what searches, as the sweep does that, or"
            " install keras-tuner"
        )

    def inner(cls: type, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return _missing(f"{name}.{attribute}")

    kind = type("Missing", (type,), {"__call__": refuse, "__getattr__": inner})
    return kind(name.rpartition(".")[2], (), {"__init_subclass__": classmethod(refuse)})


class _Finder(MetaPathFinder, Loader):
    """Finds the stand-in where nobody else finds the package."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top, _, inside = fullname.partition(".")
        if top not in NAMES or (inside and (inside not in _INSIDE or not is_stand_in(top))):
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(HyperModel=HyperModel, HyperParameters=HyperParameters, Objective=Objective)


def provide() -> None:
    """From now on `import keras_tuner` finds the stand-in where the package is not installed."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def is_stand_in(name: str = "keras_tuner") -> bool:
    """Whether this process has imported the stand-in rather than the package."""
    return isinstance(sys.modules.get(name), _StandIn)
