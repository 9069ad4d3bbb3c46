"""Arrays, lists and data frames in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading.building import of_arrays
from trainables.reading.labels import Column, Labels, check_finite, labels_of
from trainables.reading.planning import Wanted, planned
from trainables.reading.splitting import PARTS, TEST, TRAIN, VALIDATION

Array = np.ndarray[Any, Any]

_NAME = "from_arrays"


def read(x: Any, y: Any, sample_weight: Any, wanted: Wanted, class_names: Sequence[str] | None) -> Data:
    """A `Data` of arrays; see `Readers.from_arrays`.

    Raises:
        DataError: they differ in length or form, numbers are missing, or the split cannot be had.
    """
    parts = [(TRAIN, (x, y)), *((part, _pair(part, wanted.own(part), y)) for part in (VALIDATION, TEST)
                                if wanted.own(part) is not None)]  # fmt: skip
    xs = [_structure(own_x, _of(part, "x")) for part, (own_x, _) in parts]
    lengths = [_length(own, _of(part, "x")) for (part, _), own in zip(parts, xs, strict=True)]
    labels = None
    if y is not None:
        labels = _with_names(_labels(parts, lengths, wanted), class_names)
    elif class_names:
        raise DataError(f"{_NAME}: class_names need labels y, but there are none")
    weights = None
    if sample_weight is not None:
        own = np.asarray(sample_weight)
        if len(parts) > 1:
            raise DataError(f"{_NAME}: sample_weight needs validation and test as shares, not as arrays of their own")
        if own.shape != (lengths[0],) or own.dtype.kind not in "biuf":
            raise DataError(
                f"{_NAME}: sample_weight must have a number for each of {lengths[0]} examples, but got {own.dtype} of"
                f" shape {own.shape}"
            )
        check_finite(own.astype(float), Column(f"{_NAME}: sample_weight"))
        weights = own.astype(np.float32)
    given = np.repeat(np.array([part for part, _ in parts], np.uint8), lengths)
    plan = planned(_NAME, int(sum(lengths)), labels, wanted, given)
    description = {"reader": _NAME, "seed": wanted.seed}
    return of_arrays(plan, _joined(xs), description, weights)


def _of(part: int, name: str) -> str:
    return f"{_NAME}: {name}" if part == TRAIN else f"{_NAME}: {name} of {PARTS[part]}"


def _pair(part: int, given: Any, y: Any) -> tuple[Any, Any]:
    """x and y of a part of its own."""
    if y is None:
        return given, None
    if not isinstance(given, tuple) or len(given) != 2:
        raise DataError(
            f"{_NAME}: {PARTS[part]} must be a share, a number of examples or (x, y), but got {_what(given)}"
        )
    return given[0], given[1]


def _what(value: Any) -> str:
    return f"{len(value)} values" if isinstance(value, tuple) else type(value).__name__


def _structure(x: Any, name: str) -> Any:
    """The same structure, of arrays of numbers or texts."""
    if isinstance(x, dict):
        return {key: _structure(value, f"{name}[{key!r}]") for key, value in x.items()}
    if isinstance(x, tuple):
        return tuple(_structure(value, f"{name}[{index}]") for index, value in enumerate(x))
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise DataError(f"{name} must hold examples of one shape, but got {error}") from None
    if array.ndim == 0:
        raise DataError(f"{name} must be an array whose first axis counts examples, but got {_shown(x)}")
    if not len(array):
        raise DataError(f"{name} must hold at least one example, but is empty")
    if np.ma.is_masked(x):
        raise DataError(f"{name} must hold a value everywhere, but is a masked array: fill it, with x.filled(…)")
    if array.dtype.kind == "O":
        array = _of_objects(x, array, name)
    if array.dtype.kind not in "biufSUO":
        raise DataError(f"{name} must hold numbers or texts, but got the type {array.dtype}")
    if array.dtype.kind == "f":
        check_finite(array, Column(name))
    return array


def _shown(x: Any) -> str:
    if hasattr(x, "toarray"):  # of SciPy
        return "a sparse matrix: give x.toarray()"
    return " ".join(repr(x).split())[:80]


def _of_objects(x: Any, array: Array, name: str) -> Array:
    """Texts, or the numbers of a data frame of several types."""
    if all(isinstance(value, str | bytes) for value in array.flat):
        return array
    try:
        return array.astype(np.float32)
    except (TypeError, ValueError):
        pass
    columns = getattr(x, "columns", None)
    for index, column in enumerate(columns if columns is not None and array.ndim == 2 else ()):
        for row, value in enumerate(array[:, index]):
            if not isinstance(value, int | float | np.number | np.bool_):
                raise DataError(
                    f"{name} must hold numbers, but column {column} has {value!r} in example {row}; leave the column"
                    " out, or use Data.from_frame, whose categorical=… encodes it"
                )
    wrong = next(value for value in array.flat if not isinstance(value, int | float | np.number | np.bool_))
    raise DataError(f"{name} must hold numbers, or texts alone, but got {str(wrong)[:60]!r} among others")


def _leaves(x: Any) -> Iterator[Array]:
    if isinstance(x, dict | tuple):
        for value in x.values() if isinstance(x, dict) else x:
            yield from _leaves(value)
    else:
        yield x


def _length(x: Any, name: str) -> int:
    lengths = [len(array) for array in _leaves(x)]
    if not lengths or len(set(lengths)) != 1:
        raise DataError(f"{name} must have arrays of one length, but got {', '.join(map(str, lengths)) or 'none'}")
    return lengths[0]


def _labels(parts: list[tuple[int, tuple[Any, Any]]], lengths: list[int], wanted: Wanted) -> Labels:
    ys = []
    for (part, (_, own)), length in zip(parts, lengths, strict=True):
        if isinstance(own, dict | tuple):
            raise DataError(
                f"{_of(part, 'y')} must be one array, but got a {type(own).__name__}; split the arrays of several"
                " outputs yourself: Data(train=(x, y), validation=…)"
            )
        array = np.asarray(own)
        if array.ndim == 0 or len(array) != length:
            count = "a single value" if array.ndim == 0 else f"{length} and {len(array)}"
            raise DataError(
                f"{_NAME}: x and y{f' of {PARTS[part]}' if part else ''} must have one length, but got {count}"
            )
        ys.append(array)
    for (part, _), array in zip(parts, ys, strict=True):
        if array.shape[1:] != ys[0].shape[1:]:
            raise DataError(f"{_of(part, 'y')} must have rows of shape {ys[0].shape[1:]}, but got {array.shape[1:]}")
    y = np.concatenate(ys)
    classes = True if wanted.stratify and y.dtype.kind in "iu" and y.size == len(y) else None
    return labels_of(y, Column(f"{_NAME}: y"), classes, keeps_numbers=True)


def _with_names(labels: Labels, names: Sequence[str] | None) -> Labels:
    if names is None:
        return labels
    count = 0 if labels.classes is None else int(labels.classes.max()) + 1
    if isinstance(names, str) or len(names) < count or not count:
        what = f"{count} classes" if count else "numbers to predict"
        raise DataError(f"{_NAME}: class_names must name each class, but got {len(names)} names for {what}")
    return Labels(labels.y, labels.classes, tuple(map(str, names)), labels.notes)


def _joined(xs: list[Any]) -> Any:
    """The parts one after another; arrays of one part alone stay what they are."""
    if len(xs) == 1:
        return xs[0]
    try:
        if isinstance(xs[0], dict):
            return {key: _joined([x[key] for x in xs]) for key in xs[0]}
        if isinstance(xs[0], tuple):
            return tuple(_joined([x[index] for x in xs]) for index in range(len(xs[0])))
        return np.concatenate(xs)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"{_NAME}: x of validation and test must have the form of x, but have another: {error}"
        ) from None
