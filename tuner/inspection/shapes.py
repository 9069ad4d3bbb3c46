"""Whether data have the form that the training path takes: pure rules, every problem one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from trainables.contract import Data

_NAMES = ("x", "y", "sample_weight")
_INFINITE = -1
"""TensorFlow's number for the cardinality of a data set without an end."""
_EMPTY = "hold at least one example, but got none"


def data_problems(data: Data, takes_batches: bool = False) -> list[str]:
    """The first thing wrong with each part of the data.

    Args:
        takes_batches: whether it may be batched already, without an end or made by Python code, as `fit` takes it.
    """
    parts = {"training": data.train, "validation": data.validation, "test": data.test}
    if data.test is None:
        del parts["test"]
    problems = ((name, next(_part_problems(part, takes_batches), None)) for name, part in parts.items())
    return [f"trainable: its {name} data must {problem}" for name, problem in problems if problem is not None]


def num_examples(part: Any) -> int | None:
    """The number of examples in a part of the data; None if it does not say."""
    if is_python(part):
        return None
    if hasattr(part, "cardinality"):
        if is_batched(part):
            return None
        count = int(part.cardinality())
        return count if count >= 0 else None
    while isinstance(part, tuple | list | dict):
        part = next(iter(part.values() if isinstance(part, dict) else part))
    return len(part)


def _part_problems(part: Any, takes_batches: bool) -> Iterator[str]:
    if hasattr(part, "cardinality"):
        yield from _data_set_problems(part, takes_batches)
    elif is_python(part):
        if hasattr(part, "send"):
            yield "be readable by every epoch and trial, but a generator is read once: give the function that makes it"
    elif isinstance(part, tuple) and len(part) in (1, 2, 3):
        yield from _tuple_problems(part)
    elif isinstance(part, np.ndarray | dict):  # x alone
        yield from _tuple_problems((part,))
    else:
        yield f"be x, a tuple (x, y) or (x, y, sample_weight), or a tf.data.Dataset, but got {what(part)}"


def _data_set_problems(data_set: Any, takes_batches: bool) -> Iterator[str]:
    cardinality = int(data_set.cardinality())
    if takes_batches and is_batched(data_set):
        return  # it may be without an end, too, where steps_per_epoch says how much an epoch is
    if is_batched(data_set):
        yield "be single examples, but the tf.data.Dataset is batched: leave .batch() out, or add .unbatch()"
    if cardinality == _INFINITE:
        yield "end, but the tf.data.Dataset is infinite: use .take(n)"
    if cardinality == 0:
        yield _EMPTY


def is_batched(data_set: Any) -> bool:
    """Whether `.batch()` made its elements, of any length. Those of one length may be examples, such as windows."""
    shapes = [getattr(spec, "shape", None) for _, spec in leaves(data_set.element_spec)]
    if not all(shape is not None and shape.rank and shape[0] is None for shape in shapes):
        return False
    step = data_set
    while step is not None and "BatchDataset" not in (kind := type(step).__name__):
        step = None if "Unbatch" in kind else getattr(step, "_input_dataset", None)
    return step is not None


def is_python(part: Any) -> bool:
    """Whether Python code makes the batches: a `keras.utils.PyDataset`, or a function that makes a generator."""
    if isinstance(part, tuple | list | dict | np.ndarray | None) or hasattr(part, "cardinality"):
        return False
    return callable(part) or hasattr(part, "send") or hasattr(part, "on_epoch_end")


def _tuple_problems(part: tuple[Any, ...]) -> Iterator[str]:
    lengths: dict[str, int] = {}
    for name, value in leaves(dict(zip(_NAMES, part, strict=False))):
        rows = np.asarray(value)
        yield from _array_problems(name, value, rows)
        lengths[name] = len(rows)
    (first, length), *others = lengths.items()
    yield from (
        f"have arrays of one length, but got {length} of {first} and {other} of {name}"
        for name, other in others
        if other != length
    )
    if length == 0:
        yield _EMPTY


def _array_problems(name: str, value: Any, rows: np.ndarray[Any, Any]) -> Iterator[str]:
    if rows.ndim == 0:
        yield f"have an array with an axis of examples as {name}, but got {what(value)}"
    if _is_text(rows):
        if not name.startswith("x"):  # which a model may look up by itself
            yield f"have numbers as {name}, but got text"
    elif rows.dtype.kind in "OMm" or rows.dtype.names:
        yield f"have numbers as {name}, but got the type {rows.dtype}"


def _is_text(rows: np.ndarray[Any, Any]) -> bool:
    return rows.dtype.kind in "SU" or (
        rows.dtype.kind == "O" and all(isinstance(value, str | bytes) for value in rows.flat)
    )


def leaves(nest: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What TensorFlow takes for the arrays of a structure, with their names: x, y, x.top, x.0."""
    if isinstance(nest, tuple | list | Mapping) and len(nest):
        for key, value in nest.items() if isinstance(nest, Mapping) else enumerate(nest):
            yield from leaves(value, f"{name}.{key}".lstrip("."))
    else:
        yield name, nest


def what(value: Any) -> str:
    return "nothing" if value is None else f"a value of type {type(value).__name__}"
