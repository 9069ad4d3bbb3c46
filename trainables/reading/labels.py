"""Labels as classes 0, 1, 2, … with their names, or as numbers to predict; and class weights. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainables.contract import DataError

Array = np.ndarray[Any, Any]

FEW_CLASSES = 20
"""Numbers to predict that have at most so many values may be meant as classes."""


@dataclass(frozen=True)
class Labels:
    """What y is.

    `classes` holds a class number for each example, of shape (examples,); None for numbers to predict. `names` is empty
    where classes have none of their own.
    """

    y: Array
    classes: Array | None = None
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def name(self, label: int) -> str:
        return self.names[label] if label < len(self.names) else str(label)

    def counts(self, rows: Array) -> dict[str, int]:
        """How many of these examples each class has."""
        if self.classes is None:
            return {}
        numbers = np.bincount(self.classes[rows], minlength=len(self.names))
        return {self.name(label): int(count) for label, count in enumerate(numbers) if count or self.names}


@dataclass(frozen=True)
class Column:
    """Where labels come from, for messages: `name` with its file, and a function that names an example of it."""

    name: str
    example: Callable[[int], str] = field(default=lambda row: f"example {row}")


def labels_of(values: Any, column: Column, classes: bool | None = None, keeps_numbers: bool = False) -> Labels:
    """Labels of one column or array.

    Args:
        classes: whether they are classes; None to tell by what they are.
        keeps_numbers: whether whole numbers stay as they are, even as classes.

    Raises:
        DataError: some are missing, or they are neither classes nor numbers.
    """
    y = np.asarray(values)
    if y.dtype.kind == "O":
        y = _plain(y, column)
    if y.dtype.kind == "f":
        check_finite(y, column)
    if y.dtype.kind not in "biufSU":
        raise DataError(f"{column.name} must hold classes or numbers, but got the type {y.dtype}")
    if y.ndim == 2 and y.shape[1] == 1 and y.dtype.kind in "SU":
        y = y[:, 0]
    if len(y) > 1 and (y == y[0]).all():
        raise DataError(f"{column.name} must hold at least two classes or values, but holds only {y[0]}")
    if y.dtype.kind in "bSU":
        if classes is False:
            raise DataError(f"{column.name} must hold numbers with classes=False, but {column.example(0)} has {y[0]!r}")
        return _named(y)
    if y.ndim > 1:
        return _rows(y, column, classes)
    whole = y.dtype.kind in "iu" or bool((y == np.floor(y)).all())
    if classes and not whole:
        raise DataError(f"{column.name} must hold classes with classes=True, but got numbers such as {_fraction(y)}")
    is_sure = y.dtype.kind in "iu" and _are_classes(y)
    if classes is None and not is_sure:
        return Labels(y.astype(np.float32) if not keeps_numbers else y, notes=_doubts(y, column))
    if classes is False:
        return Labels(y.astype(np.float32) if not keeps_numbers else y)
    found, inverse = np.unique(y, return_inverse=True)
    numbers: Array = np.asarray(inverse, np.int32)
    names = tuple(f"{value:g}" for value in found)
    if keeps_numbers:
        return Labels(y, numbers, names if is_sure else (), _gaps(found, column))
    return Labels(numbers, numbers, names)


def check_finite(values: Array, column: Column) -> None:
    """Refuses missing and infinite numbers.

    Raises:
        DataError: the message says how many there are, and where the first is.
    """
    wrong = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(wrong):
        is_nan = np.isnan(values[wrong[0]]).any()
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DataError(
            f"{column.name} must hold finite numbers, but got {'NaN' if is_nan else 'infinity'} in "
            f"{column.example(int(wrong[0]))}{more}: leave such examples out, or fill them"
        )


def class_weights(wanted: Any, labels: Labels, train: Array, name: str) -> dict[int, float]:
    """The weight of each class, by its number; empty for none.

    "balanced" gives each class the same sum: examples / (classes * examples of the class), as scikit-learn does.

    Raises:
        DataError: there are no classes, no such class, or a weight is no positive number.
    """
    if wanted is None or wanted is False:
        return {}
    if labels.classes is None:
        raise DataError(f"{name}: class_weights need classes as labels, but got numbers to predict")
    counts = np.bincount(labels.classes[train])
    if wanted is True or (isinstance(wanted, str) and wanted == "balanced"):
        present = int((counts > 0).sum())
        return {label: len(train) / (present * int(count)) for label, count in enumerate(counts) if count}
    if not isinstance(wanted, Mapping):
        raise DataError(f'{name}: class_weights must be "balanced" or a dict of class to weight, but got {wanted!r}')
    known = {labels.name(label): label for label in range(len(counts))}
    found = {label: 1.0 for label in known.values()}
    for key, weight in wanted.items():
        label = known.get(str(key), key if isinstance(key, int) and 0 <= key < len(counts) else None)
        if label is None:
            raise DataError(f"{name}: class_weights must name classes, but got {key!r}{nearest(str(key), list(known))}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise DataError(f"{name}: class_weights must be numbers from 0 on, but {key!r} has {weight!r}")
        found[int(label)] = float(weight)
    if not any(found.values()):
        raise DataError(f"{name}: class_weights must leave a class a weight above 0, but all are 0")
    return found


def balanced_weights(y: Array) -> Array:
    """Of each example the number of examples / (classes * examples of its class), as scikit-learn has it."""
    counts = np.bincount(y)
    weights: Array = (len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)[y]
    return weights


def nearest(name: str, names: Sequence[str]) -> str:
    """What ends a message about a name that there is not."""
    near = difflib.get_close_matches(name, names, 1)
    if near:
        return f"; did you mean {near[0]}?"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"; there are {', '.join(names[:10])}{more}" if names else ""


def text_of(value: Any) -> str:
    """A value as the same text whether pandas has read it as a whole number or, beside missing ones, as a float."""
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)


def _plain(y: Array, column: Column) -> Array:
    """Objects as text or numbers; missing ones are an error."""
    missing = [row for row, value in enumerate(y.reshape(len(y), -1)[:, 0]) if _is_missing(value)]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"{column.name} must have a label for each example, but {column.example(missing[0])} has none (NaN){more}:"
            " leave such examples out, or fill them"
        )
    kinds = {type(value) for value in y.flat}
    if str in kinds and any(issubclass(kind, int | float | np.number) for kind in kinds):  # of several pieces of a file
        return np.array([text_of(value) for value in y.flat]).reshape(y.shape)
    if kinds <= {str, np.str_}:
        return y.astype(str)
    if kinds <= {bytes, np.bytes_}:
        return np.char.decode(y.astype(bytes), "utf-8", "replace")
    try:
        return np.array(y.tolist()) if all(issubclass(kind, int | float | np.number) for kind in kinds) else y
    except ValueError:
        return y


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value))) or str(value) == "<NA>"


def _named(y: Array) -> Labels:
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    found, inverse = np.unique(y, return_inverse=True)
    numbers: Array = np.asarray(inverse, np.int32).reshape(-1)
    return Labels(numbers, numbers, tuple(str(value) for value in found))


def _rows(y: Array, column: Column, classes: bool | None) -> Labels:
    """One-hot rows are classes; other rows are numbers to predict."""
    is_one_hot = y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
    if is_one_hot and classes is not False:
        return Labels(y, y.argmax(axis=1).astype(np.int32))
    if y.ndim == 2 and y[0].size == 1 and y.dtype.kind in "iu" and _are_classes(y.reshape(-1)):
        return Labels(y, y.reshape(-1).astype(np.int32), tuple(str(value) for value in np.unique(y)))
    if classes:
        raise DataError(f"{column.name} must hold a class for each example, but got the shape {y.shape}")
    return Labels(y)


def _are_classes(y: Array) -> bool:
    """Whether whole numbers are plainly classes: 0, 1, 2, … without a gap, each of several examples."""
    if not len(y) or y.min() != 0 or y.max() > len(y) // 2:
        return False
    return bool(y.max() > 0 and np.bincount(y.astype(np.int64)).min() >= 2)


def _doubts(y: Array, column: Column) -> tuple[str, ...]:
    """A line where numbers to predict look like classes."""
    found: Any = np.unique(y) if y.dtype.kind in "iu" else ()
    if 2 <= len(found) <= FEW_CLASSES:
        last = len(found) - 1
        return (
            f"{column.name} holds whole numbers from {found[0]} to {found[-1]} and is taken as numbers to predict;"
            f" if they are classes, number them from 0 to {last} (tables: classes=True)",
        )
    return ()


def _gaps(found: Array, column: Column) -> tuple[str, ...]:
    if len(found) and (found[0] != 0 or found[-1] != len(found) - 1):
        text = f"{column.name} holds {len(found)} classes from {found[0]:g} to {found[-1]:g}; a loss such as"
        return (f"{text} sparse_categorical_crossentropy needs them numbered from 0 without a gap",)
    return ()


def _fraction(y: Array) -> str:
    return f"{y[np.flatnonzero(y != np.floor(y))[0]]:g}"
