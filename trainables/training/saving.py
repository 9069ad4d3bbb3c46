"""A trained model as a `.keras` file for whoever has Keras alone, and `model.json`, which says what the file needs."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FunctionType
from typing import Any

import keras

from trainables.exceptions import message_of

MODEL, DESCRIPTION = "model.keras", "model.json"
_PACKAGES = ("keras", "tensorflow", "numpy")
_OTHER_NAMES = {"tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")}
_OWN_MODULES = ("keras", "builtins", "tensorflow")

_NO_LAMBDAS = (
    "Keras loads no Lambda layer, which holds Python code; write a layer of your own in its place, with"
    " @keras.saving.register_keras_serializable()"
)

_NOT_IN_A_FILE = "another process cannot import {}; define it at the top level of a file, not in a function"


class NotSavedError(Exception):
    """A model that Keras cannot save, or not load again; the message says why."""


def save_model(model: Any, module: str, folder: Path) -> None:
    """Writes the model, and what it needs.

    One that a process with Keras alone cannot load is saved without its losses and metrics, if they are a reason.

    Args:
        module: the trainable's, whose functions Keras names without their module.

    Raises:
        NotSavedError: it cannot be saved, or not loaded again.
    """
    file = folder / MODEL
    objects, why = with_losses = _saved(model, module, file)
    if (objects or why) and getattr(model, "compiled", False):
        model.compiled = False
        objects, why = without = _saved(model, module, file)
        if without == with_losses:  # they are not the reason
            model.compiled = True
            objects, why = _saved(model, module, file)
    if why:
        raise NotSavedError(why)
    described = {
        "packages": {name: _version(name) for name in _PACKAGES},
        "backend": keras.backend.backend(),
        "objects": objects,
    }
    (folder / DESCRIPTION).write_text(json.dumps(described))


def _saved(model: Any, module: str, file: Path) -> tuple[dict[str, list[str]], str]:
    """Saves and loads a model: the user's classes and functions that it needs, and why it cannot be used at all."""
    registered = keras.saving.get_custom_objects()
    known = dict(registered)
    try:
        model.save(file)
        registered.clear()  # as in a process that has Keras alone
        if not (why := _why_not_loaded(file, {})):
            return {}, ""
        registered.update(known)
        named = _objects_in(file, module)
        found = {name: value for name, place in named.items() if (value := _found(*place)) is not None}
        found |= _given_classes(model)
        if found and not (why := _why_not_loaded(file, found)):
            return {name: [value.__module__, value.__qualname__] for name, value in found.items()}, ""
        lost = ", ".join(place[1].rpartition(".")[2] for name, place in named.items() if name not in found)
        return {}, _NOT_IN_A_FILE.format(lost) if lost else why
    except Exception as error:
        return {}, _reason(error)
    finally:
        registered.update(known)


def _why_not_loaded(file: Path, objects: Mapping[str, Any]) -> str:
    """Why Keras cannot load the model with these classes and functions of the user's; empty if it can."""
    try:
        with keras.saving.custom_object_scope(objects):
            keras.saving.load_model(file, safe_mode=True)
    except Exception as error:
        return _reason(error)
    return ""


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


def _given_classes(model: Any) -> dict[str, type]:
    """The classes of a notebook or a main script in a model, by registered name: Keras writes no module for them."""
    kinds = {type(layer) for layer in (model, *model._flatten_layers(include_self=False))}
    return {keras.saving.get_registered_name(kind): kind for kind in kinds if kind.__module__ == "__main__"}


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


def _version(package: str) -> str:
    """The installed version, as pip is told it: package==version, without what a vendor has added (2.17.0+nv24.10)."""
    for name in (package, *_OTHER_NAMES.get(package, ())):
        try:
            return f"{name}=={version(name).partition('+')[0]}"
        except PackageNotFoundError:
            continue
    return package


def _reason(error: BaseException) -> str:
    """What went wrong, without what Keras says around it: the first paragraph."""
    text = message_of(error)
    if "`Lambda` layer" in text or "Lambda layer" in text:
        return _NO_LAMBDAS
    text = text.rpartition("Exception encountered: ")[2].partition(" Full object config: ")[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    return next(filter(None, paragraphs), type(error).__name__)[:300]
