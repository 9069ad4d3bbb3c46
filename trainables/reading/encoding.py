"""Columns of a data frame as one float32 array; what is no number is one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading.labels import text_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Encoding:
    """Columns of a table, and the values of those that become a column of 0 and 1 for each value."""

    columns: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of x."""
        return tuple(
            name
            for column in self.columns
            for name in (
                [f"{column}={value}" for value in self.categories[column]]
                if column in self.categories
                else [str(column)]
            )
        )


def encoded(frame: Any, encoding: Encoding, name: str, row: Callable[[int], str]) -> Array:
    """x of these rows, float32 of shape (rows, columns). A value that no training row has is 0 in all its columns.

    Args:
        row: what messages call a row of this frame.

    Raises:
        DataError: a column holds text, or numbers are missing.
    """
    parts = []
    for column in encoding.columns:
        values = frame[column]
        if column in encoding.categories:
            texts = np.array([text_of(value) for value in values])
            parts += [(texts == value).astype(np.float32) for value in encoding.categories[column]]
            continue
        parts.append(_numbers(values, f"{name}: column {column}", str(column), row))
    return np.stack(parts, axis=1)


def _numbers(values: Any, what: str, column: str, row: Callable[[int], str]) -> Array:
    array = values.to_numpy()
    if array.dtype.kind not in "biuf":
        array = _of_objects(array, what, column, row)
    array = array.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        got = "NaN" if np.isnan(array[wrong[0]]) else "infinity"
        raise DataError(
            f"{what} must hold finite numbers, but got {got} in {row(int(wrong[0]))}{more}; fill or drop such rows"
            " before, such as from_frame(frame.fillna(0), …)"
        )
    found: Array = array
    return found


def _of_objects(array: Array, what: str, column: str, row: Callable[[int], str]) -> Array:
    """Numbers that pandas keeps as objects, or as text beside other text."""
    numbers = np.empty(len(array))
    for index, value in enumerate(array):
        try:
            numbers[index] = np.nan if value is None or str(value) in ("<NA>", "NaT") else float(value)
        except (TypeError, ValueError):
            kind = "" if isinstance(value, str) else f" of type {type(value).__name__}"
            raise DataError(
                f"{what} must hold numbers, but got {str(value)[:60]!r}{kind} in {row(index)}; categorical=[{column!r}]"
                " makes a column of 0 and 1 for each value, and features=[…] leaves it out"
            ) from None
    return numbers
