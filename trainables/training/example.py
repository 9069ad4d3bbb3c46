"""The first inputs of a trained model, which show what it takes: `example.npz`, beside its `.keras` file.

`model.json` gets names, types and shapes of the inputs and outputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from trainables.contract import Data, Trainable
from trainables.training.reads import valid_params
from trainables.training.saving import DESCRIPTION

EXAMPLE = "example.npz"
ROWS = 2
VALUES_MAX = 1_000_000
"""An example of more values, which MLflow keeps as text, is left out."""

Array = np.ndarray[Any, Any]


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
        kind = "float32" if array.dtype.kind == "V" else str(array.dtype)  # NumPy alone knows no bfloat16
        found.append([None if is_alone else name, kind, sizes])
    return found
