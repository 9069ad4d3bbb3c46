"""Bases for fine-tuning: models that make features of images, from a file, `keras.applications` or KerasHub.

A process reads a base once and keeps its configuration and weights; each trial builds a model of its own from them.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from trainables import remote
from trainables.contract import ParamError
from trainables.vision import applications

SMALL = "small"
"""The base that comes with Tuner."""
SMALL_FILE = Path(__file__).with_name("small.keras")
_KEPT_BYTES_MAX = 48 << 20
"""A file up to this size is handed to the workers and kept with the sweep; a larger one is read where it lies."""
_PRESET = re.compile(r"[a-z0-9][a-z0-9_.-]*$|(kaggle|hf)://.+$")
_OF_CLASSES = ("softmax", "sigmoid", "linear")
NO_WEIGHTS = ("none", None)


@dataclass(frozen=True)
class Base:
    """A base that a sweep fine-tunes, as it was found where the sweep was begun.

    Attributes:
        name: as the spec names it: a file, a URL, a model of `keras.applications`, a preset of KerasHub.
        weights: of a model of `keras.applications`: imagenet, none, or a file.
        sha256: of the files that it was read from, by parameter.
        content: of the files that are small enough to be handed on, by parameter.
    """

    name: str
    weights: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    content: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """Equal for bases that are the same."""
        return json.dumps([self.name, self.weights, sorted(self.sha256.items())])


def find(name: str, weights: str | None) -> Base:
    """The base that a spec names, with its files read.

    Raises:
        ParamError: there is none.
    """
    if name == SMALL:
        return Base(name)
    if is_file(name):
        return _with_files(Base(name), {"base": name})
    if name in applications.PREPROCESSING:
        if weights in (*NO_WEIGHTS, "imagenet"):
            return Base(name, None if weights in NO_WEIGHTS else weights)
        return _with_files(Base(name, weights), {"weights": str(weights)})
    _check_preset(name)
    return Base(name)


def is_file(name: str) -> bool:
    """Whether a base's name is that of a file."""
    return name.endswith(".keras") or (os.sep in name and not _PRESET.match(name))


def _with_files(base: Base, files: Mapping[str, str]) -> Base:
    sha256, content = {}, {}
    for param, name in files.items():
        path = local(param, name)
        data = path.read_bytes()
        sha256[param] = hashlib.sha256(data).hexdigest()
        if len(data) <= _KEPT_BYTES_MAX:
            content[param] = data
    return Base(base.name, base.weights, sha256, content)


def local(param: str, name: str) -> Path:
    """The file of this machine that a path or a URL names.

    Raises:
        ParamError: there is none.
    """
    path = remote.local_copy(name) if remote.is_url(name) else Path(os.path.expanduser(name))
    if path.is_file():
        return path
    kind = "a folder" if path.is_dir() else "not there"
    near = []
    if path.parent.is_dir():
        files = [file.name for file in path.parent.iterdir() if file.suffix == path.suffix]
        near = difflib.get_close_matches(path.name, files, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ParamError(param, f"must be a file, but {name} is {kind}{hint}")


def _check_preset(name: str) -> None:
    """Refuses what no library knows.

    Raises:
        ParamError: nobody knows it, or KerasHub is not installed.
    """
    known = (SMALL, *applications.PREPROCESSING)
    folded = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=0.75)
    hint = f"; did you mean {folded[near[0]]}?" if near else ""
    rule = "must be a .keras file, a model of keras.applications such as MobileNetV2, or a preset of KerasHub"
    if not _PRESET.match(name):
        raise ParamError("base", f"{rule}, but got {name}{hint}")
    if importlib.util.find_spec("keras_hub") is None:
        raise ParamError("base", f"{rule}, but got {name}{hint}; for presets: pip install keras-hub")
    import keras_hub

    if "://" not in name and not _presets(keras_hub).get(name):
        near = difflib.get_close_matches(name, _presets(keras_hub), n=1)
        raise ParamError("base", f"{rule}, but got {name}{f'; did you mean {near[0]}?' if near else hint}")


def _presets(keras_hub: Any) -> dict[str, Any]:
    return dict(keras_hub.models.Backbone.presets)


@dataclass(frozen=True)
class Loaded:
    """A base as a process keeps it.

    Attributes:
        config: Keras's configuration of the model, which ends with its features.
        values: of its variables.
        side: its height and width, where it takes one alone; else None.
        channels: that its images must have.
        preprocessing: see `applications`; "file" where the file does not say.
        left_out: the names of the layers at its end that told classes apart.
    """

    config: dict[str, Any]
    values: list[Any]
    side: int | None
    channels: int
    preprocessing: str
    left_out: tuple[str, ...] = ()

    def build(self, name: str) -> Any:
        """A new model with its weights.

        Args:
            name: of the model, as a layer.
        """
        import keras

        config = {**self.config, "config": {**self.config["config"], "name": name}}
        model = keras.saving.deserialize_keras_object(config)
        for variable, value in zip(model.variables, self.values, strict=True):
            variable.assign(value)
        model.trainable = True  # a file may have been saved with frozen layers
        return model


_loaded: dict[str, Loaded] = {}
"""By key; the last one that was asked for."""


def loaded(base: Base, side: int | None) -> Loaded:
    """A base's model, read once in a process.

    Args:
        side: height and width of the images, for models that are built for a size.

    Raises:
        ParamError: it cannot be had, or is no model of images.
    """
    key = f"{base.key} {side}"
    if key not in _loaded:
        found = _load(base, side)
        _loaded.clear()
        _loaded[key] = found
    return _loaded[key]


def _load(base: Base, side: int | None) -> Loaded:
    import keras

    if base.name == SMALL:
        return _of_model(keras.saving.load_model(SMALL_FILE, compile=False, safe_mode=True), base.name)
    if "base" in base.sha256:
        return _of_model(_read_model(base), base.name)
    if base.name in applications.PREPROCESSING:
        model = _application(base, side or applications.side(base.name))
        return _kept(model, applications.PREPROCESSING[base.name])
    import keras_hub

    try:
        backbone = keras_hub.models.Backbone.from_preset(base.name)
    except Exception as error:
        raise ParamError("base", f"{base.name}: cannot be loaded by KerasHub: {_line(error)}") from error
    return _kept(backbone, "imagenet")


def _read_model(base: Base) -> Any:
    import keras

    try:
        with _file(base, "base", base.name) as path:
            if not path.endswith(".keras"):  # of other formats, Keras would run what they hold
                raise ParamError("base", f"{base.name}: must be a .keras file")
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except ParamError:
        raise
    except Exception as error:
        raise ParamError("base", f"{base.name}: must be a model that Keras can load, but {_line(error)}") from error


@contextmanager
def _file(base: Base, param: str, name: str) -> Iterator[str]:
    """The path of a file here: of its content as it was handed on, or as it lies where it was.

    Raises:
        ParamError: it is another one by now.
    """
    content = base.content.get(param)
    if content is None:
        path = local(param, name)
        if hashlib.sha256(path.read_bytes()).hexdigest() != base.sha256[param]:
            raise ParamError(param, f"{name}: must be the file that the sweep was begun with, but has changed")
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(name.partition("?")[0]).name)
        path.write_bytes(content)
        yield str(path)


def _application(base: Base, side: int) -> Any:
    import keras

    make = getattr(keras.applications, base.name)
    shape = (side, side, 3)
    try:
        if "weights" in base.sha256:
            with _file(base, "weights", str(base.weights)) as path:
                return make(include_top=False, weights=path, input_shape=shape)
        return make(include_top=False, weights=base.weights, input_shape=shape)
    except ParamError:
        raise
    except Exception as error:
        way = "" if "weights" in base.sha256 else "; give weights: a file of them, or none"
        raise ParamError("weights", f"{base.name} cannot be made with {base.weights}: {_line(error)}{way}") from error


def _of_model(model: Any, name: str) -> Loaded:
    """A model from a file, without the layers at its end that tell its own classes apart."""
    import keras

    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] not in (1, 3):
        raise ParamError(
            "base", f"{name}: must take images (height, width, 1 or 3 channels), but its inputs are {shape}"
        )
    left_out: list[str] = []
    layers = list(model.layers)
    while layers and len(model.output_shape) == 2 and _tells_classes(layers[-1]):
        is_last = isinstance(layers[-1], keras.layers.Dense)
        left_out.append(layers.pop().name)
        if is_last:
            break
    while left_out and layers and isinstance(layers[-1], keras.layers.Dropout):
        left_out.append(layers.pop().name)
    if left_out and layers:
        model = keras.Model(model.inputs, layers[-1].output)
    scales = isinstance(model, keras.Sequential | keras.Model) and any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) for layer in _inner(model)
    )
    return _kept(model, "none" if scales else "file", tuple(reversed(left_out)))


def _tells_classes(layer: Any) -> bool:
    import keras

    if isinstance(layer, keras.layers.Dense):
        return getattr(layer.activation, "__name__", "") in _OF_CLASSES
    return isinstance(layer, keras.layers.Softmax | keras.layers.Activation)


def _inner(model: Any) -> list[Any]:
    return list(model._flatten_layers(include_self=False))


def _kept(model: Any, preprocessing: str, left_out: tuple[str, ...] = ()) -> Loaded:
    import keras

    shape = model.input_shape if isinstance(model.input_shape, tuple) else (None, None, None, 3)
    config = keras.saving.serialize_keras_object(model)
    values = [np.asarray(variable) for variable in model.variables]
    return Loaded(config, values, shape[1], shape[3] or 3, preprocessing, left_out)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
