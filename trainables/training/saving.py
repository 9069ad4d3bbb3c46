"""A trained model as a `.keras` file for whoever has Keras alone, and inputs that show what it takes.

Writes beside it `example.npz`, with the arrays of the inputs, and `model.json`, which says what the file needs.
"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

import keras
import numpy as np

from trainables.contract import Data, Trainable
from trainables.exceptions import message_of
from trainables.training.reads import valid_params

MODEL, EXAMPLE, DESCRIPTION = "model.keras", "example.npz", "model.json"
ROWS = 2
"""Rows of the example."""
VALUES_MAX = 1_000_000
"""More values than these in an example, which MLflow keeps as text, are left out."""
_PACKAGES = ("keras", "tensorflow", "numpy")
_OTHER_NAMES = {"tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")}
_OWN_MODULES = ("keras", "builtins", "tensorflow")

_NO_LAMBDAS = (
    "Keras loads no Lambda layer, which holds Python code; write a layer of your own in its place, with"
    " @keras.saving.register_keras_serializable()"
)

Array = np.ndarray[Any, Any]


class NotSavedError(Exception):
    """A model that Keras cannot save, or not load again; the message says why."""


def save_model(model: Any, module: str, folder: Path) -> None:
    """Writes the model, and what it needs.

    One that a process with Keras alone cannot load is saved without its losses and metrics, which may be the reason.

    Args:
        module: the trainable's, whose functions Keras names without their module.

    Raises:
        NotSavedError: it cannot be saved, or not loaded again.
    """
    file = folder / MODEL
    objects, why = _saved(model, module, file)
    if (objects or why) and getattr(model, "compiled", False):
        model.compiled = False
        objects, why = _saved(model, module, file)
    if why:
        raise NotSavedError(why)
    described = {
        "packages": {name: _version(name) for name in _PACKAGES},
        "backend": keras.backend.backend(),
        "objects": objects,
    }
    (folder / DESCRIPTION).write_text(json.dumps(described))


def save_example(model: Any, trainable: Trainable, load: Callable[[], Data], params: Any, folder: Path) -> None:
    """Adds the first rows of the validation data, and the model's inputs and outputs; none where it takes others.

    Args:
        load: gives the data.
    """
    for inputs in _candidates(model, trainable, load, params):
        if sum(array.size for array in _named(inputs).values()) > VALUES_MAX:
            inputs = _rows(inputs, 1)
            if sum(array.size for array in _named(inputs).values()) > VALUES_MAX:
                continue
        try:
            outputs = model.predict(inputs, verbose=0)
        except Exception:  # it takes something else
            continue
        np.savez(folder / EXAMPLE, *_written(inputs))
        described = json.loads((folder / DESCRIPTION).read_text())
        described |= {"inputs": _specs(inputs, _symbolic(model)), "outputs": _specs(outputs, {})}
        written = folder / f"{DESCRIPTION}.new"
        written.write_text(json.dumps(described))
        written.replace(folder / DESCRIPTION)
        return


def _saved(model: Any, module: str, file: Path) -> tuple[dict[str, list[str]], str]:
    """Saves and loads a model: the user's classes and functions that it needs, and why it cannot be used at all."""
    registered = keras.saving.get_custom_objects()
    known = dict(registered)
    try:
        model.save(file)
        registered.clear()  # as in a process that has Keras alone
        try:
            keras.saving.load_model(file)
            return {}, ""
        except Exception as error:
            why = _first_line(error)
        registered.update(known)
        objects = {name: place for name, place in _objects_in(file, module).items() if _found(*place) is not None}
        if not objects:
            return {}, why
        with keras.saving.custom_object_scope({name: _found(*place) for name, place in objects.items()}):
            keras.saving.load_model(file)
        return objects, ""
    except Exception as error:
        return {}, _first_line(error)
    finally:
        registered.update(known)


def _objects_in(file: Path, user_module: str) -> dict[str, list[str]]:
    """The classes and functions of a `.keras` file that are not Keras's own: by registered name, module and name."""
    with zipfile.ZipFile(file) as archive:
        config = json.loads(archive.read("config.json"))
    found: dict[str, list[str]] = {}
    for part in _dicts(config):
        module, name = part.get("module"), part.get("class_name")
        if name == "function" and isinstance(part.get("config"), str):
            name, registered = part["config"], part["config"]
            if name in _functions_of(user_module):
                module = user_module
        else:
            registered = part.get("registered_name")
        is_own = module is None or str(module).partition(".")[0] in _OWN_MODULES
        if not isinstance(name, str) or not isinstance(registered, str) or (is_own and ">" not in registered):
            continue
        custom = keras.saving.get_custom_objects().get(registered)
        if custom is not None:
            module, name = custom.__module__, custom.__qualname__
        if isinstance(module, str):
            found[registered] = [module, name.rpartition(">")[2]]
    return found


def _functions_of(module: str) -> set[str]:
    return {name for name, value in vars(sys.modules.get(module, object())).items() if isinstance(value, FunctionType)}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _dicts(item)


def _found(module: str, name: str) -> Any:
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def _candidates(model: Any, trainable: Trainable, load: Callable[[], Data], params: Any) -> Iterator[Any]:
    """Inputs that the model may take, the likeliest first."""
    try:
        data = load()
        own = trainable.exported_inputs(data, valid_params(trainable, params), ROWS)
        used = None if own is not None else trainable.select_data(data, valid_params(trainable, params))
        given = own if used is None else _first_rows(used.validation if used.validation is not None else used.train)
        if given is not None:
            yield from _as_taken(given, model)
    except Exception:  # the model is of use without
        pass
    if symbolic := _symbolic(model):
        arrays = {name: _blank(tensor) for name, tensor in symbolic.items()}
        yield (
            arrays
            if len(arrays) > 1 or isinstance(getattr(model, "input", None), dict)
            else next(iter(arrays.values()))
        )


def _as_taken(given: Any, model: Any) -> Iterator[Any]:
    """An array, or arrays by name: what `predict` and MLflow both take."""
    if isinstance(given, tuple | list):
        names = list(_symbolic(model))
        if len(names) == len(given):
            yield _plain(dict(zip(names, given, strict=True)))
        return
    yield _plain(given)


def _plain(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {str(name): _array(value) for name, value in given.items()}
    return _array(given)


def _array(value: Any) -> Array:
    """Texts as objects in one axis, which `predict` takes for texts; the rest in a type that JSON has a word for."""
    array = np.asarray(value)
    if array.dtype.kind in "OSU":
        texts = [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in array.ravel()]
        shape = array.shape[:1] if array.shape[1:] == (1,) else array.shape
        return np.array(texts, dtype=object).reshape(shape)
    return array if array.dtype.kind in "biuf" else array.astype(np.float32)


def _first_rows(part: Any) -> Any:
    """The first inputs of a part of the data: as arrays, each with its rows first."""
    if hasattr(part, "element_spec"):
        examples = [_inputs(example) for example in part.take(ROWS).as_numpy_iterator()]
        try:
            return keras.tree.map_structure(lambda *values: np.stack([np.asarray(one) for one in values]), *examples)
        except ValueError:  # of different lengths
            return keras.tree.map_structure(lambda value: np.asarray(value)[None], examples[0])
    return keras.tree.map_structure(lambda value: np.asarray(value[:ROWS]), _inputs(part))


def _inputs(part: Any) -> Any:
    return part[0] if isinstance(part, tuple) else part


def _rows(inputs: Any, count: int) -> Any:
    return keras.tree.map_structure(lambda array: array[:count], inputs)


def _symbolic(model: Any) -> dict[str, Any]:
    """The inputs of a model that says them itself, by name."""
    try:
        return {str(tensor.name): tensor for tensor in model.inputs or ()}
    except (AttributeError, ValueError):
        return {}


def _blank(tensor: Any) -> Array:
    shape = (ROWS, *(1 if size is None else size for size in tensor.shape[1:]))
    if tensor.dtype == "string":
        return _array(np.full(shape, "", dtype=object))
    return np.zeros(shape, tensor.dtype if tensor.dtype != "bfloat16" else "float32")


def _named(values: Any) -> dict[str, Array]:
    return dict(values) if isinstance(values, Mapping) else {"": values}


def _written(inputs: Any) -> list[Array]:
    """The arrays in a form that is read without unpickling."""
    return [array.astype(str) if array.dtype == object else array for array in _named(inputs).values()]


def _specs(values: Any, symbolic: Mapping[str, Any]) -> list[list[Any]]:
    """Name (None for the only one), type and shape of each; -1 for what may have any size."""
    if isinstance(values, tuple | list):
        values = {f"output_{index}": value for index, value in enumerate(values)}
    is_alone = not isinstance(values, Mapping)
    found = []
    for name, array in _named(values).items():
        array = np.asarray(array)
        tensor = next(iter(symbolic.values()), None) if is_alone and len(symbolic) == 1 else symbolic.get(name)
        sizes = [-1, *array.shape[1:]]
        if tensor is not None and len(tensor.shape) == array.ndim:
            sizes = [-1, *(-1 if size is None else size for size in tensor.shape[1:])]
        found.append([None if is_alone else name, str(array.dtype), sizes])
    return found


def _version(package: str) -> str:
    """The installed version, as pip is told it: package==version."""
    for name in (package, *_OTHER_NAMES.get(package, ())):
        try:
            return f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue
    return package


def _first_line(error: BaseException) -> str:
    """What went wrong, without what Keras says around it."""
    text = message_of(error)
    if "`Lambda` layer" in text or "Lambda layer" in text:
        return _NO_LAMBDAS
    lines = [line.strip() for line in text.rpartition("Exception encountered: ")[2].splitlines() if line.strip()]
    return (lines[0].partition(" Full object config: ")[0] if lines else type(error).__name__)[:300]
