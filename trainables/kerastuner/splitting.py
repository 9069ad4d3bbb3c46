"""Data as people give them to `Tuner.search`: arrays, with a validation set or without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trainables.contract import Data, DataError

VALIDATION_SPLIT = 0.2
"""Of training data without a validation set; as in Keras the last examples, in their order."""


def as_data(given: Any, validation_data: Any = None, validation_split: float | None = None) -> Data:
    """Training and validation data.

    Args:
        given: a Data; (x, y) or (x, y, sample_weight); ((x, y), (x_val, y_val)), with a test pair after it or not; a
            mapping of these by the names train, validation and test.
        validation_data: (x, y) or (x, y, sample_weight), where `given` has none.
        validation_split: the share of the last examples that are validated on, where there is no validation set.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(given, Data):
        return given
    if isinstance(given, Mapping) and "train" in given:
        parts = [given.get(name) for name in ("train", "validation", "test")]
    elif isinstance(given, tuple | list) and given and isinstance(given[0], tuple | list | Data):
        parts = [*given, None, None][:3]
    else:
        parts = [given, None, None]
    train, validation, test = parts
    if validation_data is not None:
        validation = validation_data
    if validation is None:
        train, validation = _split(train, VALIDATION_SPLIT if validation_split is None else validation_split)
    return Data(_tuple(train), _tuple(validation), _tuple(test))


def _tuple(part: Any) -> Any:
    return tuple(part) if isinstance(part, list) else part


def _split(part: Any, share: float) -> tuple[Any, Any]:
    if not isinstance(part, tuple | list) or len(part) not in (2, 3):
        raise DataError(
            f"training data must be (x, y) of arrays, or come with validation data, but got {type(part).__name__}"
        )
    if not 0 < share < 1:
        raise DataError(f"validation_split must lie between 0 and 1, but got {share}")
    num = len(_first(part[0]))
    cut = round(num * (1 - share))
    if not 0 < cut < num:
        raise DataError(f"{num} training examples cannot be split into training and validation data")
    return _rows(tuple(part), slice(0, cut)), _rows(tuple(part), slice(cut, num))


def _first(arrays: Any) -> Any:
    while isinstance(arrays, Mapping | tuple | list):
        arrays = next(iter(arrays.values() if isinstance(arrays, Mapping) else arrays))
    return arrays


def _rows(arrays: Any, rows: slice) -> Any:
    if isinstance(arrays, Mapping):
        return {name: _rows(part, rows) for name, part in arrays.items()}
    if isinstance(arrays, tuple):
        return tuple(_rows(part, rows) for part in arrays)
    return np.asarray(arrays)[rows]


def first_rows(part: Any, num: int) -> Any:
    """The first examples of arrays; other data as they are."""
    return _rows(part, slice(0, num)) if isinstance(part, tuple) else part
