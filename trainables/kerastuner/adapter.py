"""A HyperModel, or a function `build_model(hp)`, as a trainable of the fit path."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from trainables import data as data_sets
from trainables.contract import Data, DataError, Trainable
from trainables.kerastuner.exploring import explore
from trainables.kerastuner.hyperparameters import HyperParameters
from trainables.kerastuner.names import identifier, with_conditions
from trainables.kerastuner.spaces import FoundSpace
from trainables.kerastuner.splitting import as_data
from trainables.kerastuner.travelling import Travelling

if TYPE_CHECKING:
    import keras

FIT_ROWS = 64
"""Examples on which a `fit` of the user's own is looked at."""


class HyperParams(BaseModel):
    """A trial's values by our names: those of the space, whatever they are called."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    epochs: int = Field(10, ge=1)
    """Of a whole training."""
    batch_size: int = Field(32, ge=1)
    """Of `model.fit`, unless a `fit` of the user's own says another."""


class KeptHere:
    """Data that a program gave, in the process that has them; workers get arrays through the sweep."""

    _kept: ClassVar[dict[str, Data]] = {}

    def __init__(self, key: str) -> None:
        self._key = key

    @classmethod
    def of(cls, data: Data) -> KeptHere:
        kept = cls(f"{os.getpid()}-{len(cls._kept)}")
        cls._kept[kept._key] = data
        return kept

    def __call__(self) -> Data:
        if self._key not in self._kept:
            raise DataError(
                "the data that the program gave are not arrays, which alone reach the workers: give a function that"
                " returns them"
            )
        return self._kept[self._key]


class HyperTrainable(Trainable):
    """What every adapted model has; `adapted` makes a subclass of one."""

    loss = None
    fits_because = "it is a KerasTuner model"
    Params: ClassVar[type[Any]] = HyperParams
    source: ClassVar[Travelling]
    """The HyperModel's class or instance, or the function, as it was written."""
    written: ClassVar[Travelling]
    """The class or the function that the user wrote."""
    data_source: ClassVar[Any] = None
    """The file's or the program's own data: a function that gives them, or what `as_data` takes."""

    def __init__(self, data: str | None = None) -> None:
        super().__init__(data)
        self._hypermodel = _instance(self.source.value)
        self._hp = HyperParameters()
        self.names_built: set[str] = set()
        """Our names of what `build` has asked for so far."""

    def load_data(self) -> Data:
        if self.data is not None:
            return as_data(_function(self.data)()) if _is_function(self.data) else data_sets.load(self.data)
        given = self.data_source.value if isinstance(self.data_source, Travelling) else self.data_source
        if given is None:
            raise DataError(
                "a HyperModel has no data of its own: write a function load_data() in its file, or give data: a"
                " built-in set, an .npz file or ./file.py:function"
            )
        return as_data(given() if callable(given) else given)

    def build_model(self, params: Any) -> keras.Model:
        self._hp = HyperParameters(_values(params))
        _declare(self._hypermodel, self._hp)
        model = _checked(_built(self._hypermodel, self._hp), self._hypermodel)
        self.names_built |= {name for one in self._hp.space for name in (identifier(one.name), with_conditions(one))}
        if not model.compiled:  # a loop of its own trains and validates it
            model.compile()
            model.validates_itself = True
        return model

    def found_space(self, data: Data | None = None) -> FoundSpace:
        """The space that building finds; with data, also what a `fit` of its own asks for.

        Raises:
            Exception: what a build with all defaults raises.
        """
        from trainables.kerastuner.fitting import look_at_fit

        def build(hp: HyperParameters) -> None:
            _declare(self._hypermodel, hp)
            model = _checked(_built(self._hypermodel, hp), self._hypermodel)
            if has_own_fit(self._hypermodel) and data is not None:
                look_at_fit(self._hypermodel, hp, model, data, FIT_ROWS)

        if _is_tunable(self._hypermodel):
            return explore(build)
        return FoundSpace(notes=["its HyperModel is not tunable, so all of its values are the defaults"])


class _WithFit(HyperTrainable):
    """One whose HyperModel overrides `fit`."""

    def select_data(self, data: Data, params: Any) -> Data:
        self._selected = data
        return data

    def fit(self, params: Any, model: Any, **arguments: Any) -> None:
        """One epoch, through the user's own `fit`."""
        from trainables.kerastuner.fitting import fit_epoch

        fit_epoch(self._hypermodel, self._hp, model, self._selected, params.batch_size, arguments)


def is_hypermodel(value: Any) -> bool:
    """Whether it is a HyperModel, class or instance, or may be a function `build_model(hp)`."""
    kind = value if isinstance(value, type) else type(value)
    if any(base.__name__ == "HyperModel" for base in kind.__mro__):
        return True
    if not inspect.isfunction(value):
        return False
    parameters = list(inspect.signature(value).parameters.values())
    needed = [
        one
        for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) == 1 or (bool(parameters) and parameters[0].name == "hp")


def adapted(source: Any, name: str, data_source: Any = None, module: str | None = None) -> type[HyperTrainable]:
    """The trainable of a HyperModel or a function.

    Args:
        name: what the class is called.
        data_source: its own data, or a function that gives them.
    """
    base = _WithFit if has_own_fit(source) else HyperTrainable
    written = source if isinstance(source, type) or inspect.isfunction(source) else type(source)
    members = {
        "written": Travelling(written),
        "source": Travelling(source),
        "data_source": Travelling(data_source) if inspect.isfunction(data_source) else data_source,
        "__doc__": inspect.getdoc(source) or "A KerasTuner model.",
        "__module__": module or written.__module__,
    }
    return type(name, (base,), members)


def has_own_fit(hypermodel: Any) -> bool:
    """Whether a HyperModel, class or instance, overrides `fit`."""
    kind = hypermodel if isinstance(hypermodel, type) else type(hypermodel)
    owner = next((base for base in kind.__mro__ if "fit" in vars(base)), None)
    return owner is not None and owner.__name__ != "HyperModel" and not inspect.isfunction(hypermodel)


def _instance(source: Any) -> Any:
    if not isinstance(source, type):
        return source
    try:
        return source()
    except TypeError as error:
        raise TypeError(
            f"{source.__name__} must be made without arguments ({error}): name an instance of it in the file, such as"
            f" hypermodel = {source.__name__}(…), and write ./file.py:hypermodel"
        ) from error


def _built(hypermodel: Any, hp: HyperParameters) -> Any:
    if not _is_tunable(hypermodel):
        hp = hp.copy()
    return hypermodel(hp) if inspect.isfunction(hypermodel) else hypermodel.build(hp)


def _declare(hypermodel: Any, hp: HyperParameters) -> None:
    declare: Callable[[Any], Any] | None = getattr(hypermodel, "declare_hyperparameters", None)
    if declare is not None:
        declare(hp)


def _is_tunable(hypermodel: Any) -> bool:
    return bool(getattr(hypermodel, "tunable", True))


def _checked(model: Any, hypermodel: Any) -> Any:
    import keras

    name = getattr(hypermodel, "__name__", type(hypermodel).__name__)
    if not isinstance(model, keras.Model):
        raise TypeError(f"{name} must return a Keras model, but it returned {type(model).__name__}")
    if not model.compiled and not has_own_fit(hypermodel):
        raise TypeError(f"{name} must return a compiled model, but it is not compiled: call model.compile in it")
    return model


def _values(params: Any) -> dict[str, Any]:
    return {**{name: getattr(params, name) for name in params.model_fields_set}, **(params.model_extra or {})}


def _is_function(data: str) -> bool:
    """Whether a spec's `data` names a function of a file."""
    return data.rpartition(":")[0].endswith(".py")


def _function(data: str) -> Any:
    """The function that a spec's `data` names.

    Raises:
        DataError: there is none.
    """
    from trainables.registry import load_module

    path, _, name = data.rpartition(":")
    if not Path(path).is_file():
        raise DataError(f"{path}: must be a Python file, but there is no such file")
    found = getattr(load_module(Path(path)), name, None)
    if not callable(found):
        raise DataError(f"{path}: must have a function {name} that returns the data, but has none")
    return found


def of_module(module: ModuleType, name: str) -> type[HyperTrainable] | None:
    """The trainable of a module's HyperModel or function of this name; None if it has none."""
    known: dict[str, type[HyperTrainable]] = vars(module).setdefault("__tuner_hypermodels__", {})
    source = getattr(module, name, None)
    if name not in known and is_hypermodel(source):
        known[name] = adapted(source, name, getattr(module, "load_data", None), module.__name__)
    return known.get(name)


def names_in(module: ModuleType) -> list[str]:
    """The HyperModels and functions of `hp` that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if is_hypermodel(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
        and (not inspect.isfunction(value) or next(iter(inspect.signature(value).parameters), None) == "hp")
    ]
