"""Which column is what, told from the training rows: numbers, categories, texts of many values, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from trainables.contract import DataError
from trainables.reading.labels import nearest, text_of

Array = np.ndarray[Any, Any]
Kind = Literal["number", "integer", "text", "hashed"]

CATEGORIES_MAX = 100
"""Texts of more values are hashed."""
HASH_BINS = 128
CODES_MAX = 10
"""Whole numbers of three to so many values are taken as categories."""
UNKNOWN = "[UNK]"
"""Keras's word for values that no training row has."""
_CODES_MIN = 3
_UNLIKE_SHARE = 0.9
"""Texts that differ in a larger share of the rows tell nothing: names, identifiers, free text."""
_WRONG_SHARE, _WRONG_TEXTS = 0.2, 3
"""A column of numbers may have so many texts beside them, such as `?`, which count as missing."""
_EXACT_MAX = 2**24
"""float32 holds whole numbers up to here."""


@dataclass(frozen=True)
class Column:
    """A column that a model reads.

    Attributes:
        key: its name in the model's inputs; a name of Keras holds no `/`.
        mean, deviation: of the training rows; 0 and 1 for other kinds than number.
        vocabulary: the training rows' values of an integer or text column, most frequent first.
        has_missing: whether training rows lack it.
        missing: what stands for a missing category: a number for an integer column, the empty text for others.
    """

    name: str
    kind: Kind
    mean: float = 0.0
    deviation: float = 1.0
    vocabulary: tuple[Any, ...] = ()
    has_missing: bool = False
    missing: Any = ""

    @property
    def key(self) -> str:
        return self.name.replace("/", "_")

    @property
    def is_text(self) -> bool:
        return self.kind in ("text", "hashed")

    @property
    def size(self) -> int:
        """Into how many numbers a category is counted; one is of values that no training row has."""
        return HASH_BINS if self.kind == "hashed" else 1 + len(self.vocabulary)


@dataclass(frozen=True)
class Wanted:
    """What the user says of columns: those of `categorical` are categories, of `numeric` numbers; others go."""

    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def check(self, name: str, there: Sequence[str]) -> None:
        """Refuses columns that there are not, or that are named twice.

        Raises:
            DataError: such as for labels.
        """
        options = {"categorical": self.categorical, "numeric": self.numeric, "left_out": self.left_out}
        for option, columns in options.items():
            for column in columns:
                if column not in there:
                    raise DataError(
                        f"{name}: space.{option} must name columns, but there is no {column}{nearest(column, there)}"
                    )
                if other := next((o for o, names in options.items() if o != option and column in names), None):
                    raise DataError(f"{name}: space.{option} and space.{other} must not both name {column}")


def columns_of(
    frame: Any, train: Array, wanted: Wanted, name: str, row: Callable[[int], str]
) -> tuple[list[Column], list[str]]:
    """The columns that a model reads, and what is to be told of them.

    Args:
        frame: all rows, without the target.
        train: the numbers of the training rows.

    Raises:
        DataError: a column of `numeric` holds text, numbers are infinite, or no column is left.
    """
    found: list[Column] = []
    notes: list[str] = []
    for column in map(str, frame.columns):
        if column in wanted.left_out:
            continue
        told = _column(column, frame[column], train, wanted, f"{name}: column {column}", row)
        if isinstance(told, Column):
            found.append(told)
            notes += _odd_texts(told, frame[column])
        elif told:
            notes.append(told)
    if not found:
        raise DataError(f"{name}: must have columns beside the target that differ between rows, but has none")
    by_key = {column.key: column.name for column in found}
    if twice := next((column for column in found if by_key[column.key] != column.name), None):
        raise DataError(f"{name}: columns {twice.name} and {by_key[twice.key]} must differ in more than a slash")
    return found, [f"{name}: {note}" for note in (*notes, *_told(found))]


def _told(columns: list[Column]) -> list[str]:
    told = []
    if codes := [column.name for column in columns if column.kind == "integer"]:
        told.append(f"whole numbers of few values are taken as categories: {_some(codes)}; space.numeric names numbers")
    if hashed := [column.name for column in columns if column.kind == "hashed"]:
        told.append(f"texts of more than {CATEGORIES_MAX} values are hashed into {HASH_BINS}: {_some(hashed)}")
    if missing := [column.name for column in columns if column.has_missing]:
        told.append(
            f"values are missing in {_some(missing)}: a number becomes the training rows' mean, with an input that says"
            " so, and a category one of its own"
        )
    return told


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def values_of(values: Any, column: Column) -> Array:
    """A column's values as a model takes them: float32 with NaN for missing ones, or texts with ''."""
    if column.is_text:
        return texts(values)
    found: Array = numbers(values).astype(np.float32)
    return found


def numbers(values: Any) -> Array:
    """Numbers, NaN where there are none."""
    import pandas as pd

    plain = values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values
    found: Array = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return found


def texts(values: Any) -> Array:
    """Texts, '' where there are none; whole numbers are written alike whatever pandas has read them as."""
    missing = values.isna().to_numpy()
    return np.array(["" if gone else text_of(value) for value, gone in zip(values, missing, strict=True)], dtype=object)


def _column(
    column: str, values: Any, train: Array, wanted: Wanted, what: str, row: Callable[[int], str]
) -> Column | str | None:
    """The column, a note that says why it is left out, or None to leave it out silently."""
    if values.dtype.kind == "O" and any(isinstance(value, list | dict | tuple | np.ndarray) for value in values):
        raise DataError(
            f"{what} must hold a number or a text in each row, but holds lists; space.left_out leaves it out"
        )
    if values.dtype.kind in "mM":
        return f"column {column} is left out, as it holds dates; numbers such as the days since then can be trained on"
    kind = _kind(column, values, train, wanted, what)
    if kind == "unlike":
        return f"column {column} is left out, as its values differ in nearly every row"
    if kind in ("number", "integer"):
        _check_finite(numbers(values), what, row)
    own = values.iloc[train]
    if own.nunique(dropna=False) < 2:
        return f"column {column} is left out, as it is the same in all training rows"
    return _number(column, own) if kind == "number" else _category(column, own, kind)


def _odd_texts(column: Column, values: Any) -> list[str]:
    """What is told of texts among numbers."""
    if column.is_text or values.dtype.kind in "biuf":
        return []
    odd = sorted({text.strip() for text in texts(values)[np.isnan(numbers(values))]} - {""})
    return [f"column {column.name} holds numbers, and {', '.join(map(repr, odd))} for missing ones"] if odd else []


def _kind(column: str, values: Any, train: Array, wanted: Wanted, what: str) -> Any:
    found = numbers(values)
    gone = values.isna().to_numpy() | (texts(values) == "" if values.dtype.kind not in "biuf" else False)
    wrong = np.flatnonzero(np.isnan(found) & ~gone)
    if column in wanted.numeric:
        if len(wrong) == int((~gone).sum()):
            raise DataError(f"{what} must hold numbers, as space.numeric names it, but got {values.iloc[wrong[0]]!r}")
        return "number"
    is_whole = not len(wrong) and bool((np.isnan(found) | (found == np.floor(found))).all())
    own = found[train][~np.isnan(found[train])]
    num_values = len(np.unique(own))
    if column in wanted.categorical:
        is_exact = is_whole and np.abs(own).max(initial=0) < _EXACT_MAX and values.dtype.kind in "biuf"
        return "integer" if is_exact else _text_kind(values, train, True)
    few_wrong = len(set(map(str, values.iloc[wrong]))) <= _WRONG_TEXTS and len(wrong) <= _WRONG_SHARE * (~gone).sum()
    if len(wrong) and not few_wrong:
        return _text_kind(values, train, False)
    if is_whole and len(own) > CODES_MAX and num_values == len(own) and _names_rows(column):
        return "unlike"
    is_code = is_whole and values.dtype.kind != "b" and _CODES_MIN <= num_values <= CODES_MAX and own.min() >= 0
    return "integer" if is_code else "number"


def _text_kind(values: Any, train: Array, is_wanted: bool) -> str:
    own = texts(values.iloc[train])
    num_values, num_there = len(set(own)), int((own != "").sum())
    if num_values <= CATEGORIES_MAX:
        return "text"
    return "hashed" if is_wanted or num_values <= _UNLIKE_SHARE * num_there else "unlike"


def _names_rows(column: str) -> bool:
    lower = column.lower()
    return lower in ("id", "index", "row") or lower.endswith(("_id", " id", "-id")) or column.endswith(("Id", "ID"))


def _check_finite(found: Array, what: str, row: Callable[[int], str]) -> None:
    wrong = np.flatnonzero(np.isinf(found) | (np.abs(found) > np.finfo(np.float32).max))
    if len(wrong):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DataError(f"{what} must hold finite numbers, but got {found[wrong[0]]:g} in {row(int(wrong[0]))}{more}")


def _number(column: str, own: Any) -> Column:
    found = numbers(own)
    there = found[~np.isnan(found)]
    deviation = float(there.std())
    return Column(
        column,
        "number",
        float(there.mean()),
        deviation if deviation > 0 else 1.0,
        has_missing=len(there) < len(found),
    )


def _category(column: str, own: Any, kind: Kind) -> Column:
    if kind == "hashed":
        return Column(column, kind, has_missing=bool((texts(own) == "").any()))
    if kind == "text":
        found = texts(own)
        return Column(column, kind, vocabulary=_by_frequency(found), has_missing=bool((found == "").any()))
    codes = numbers(own)
    is_missing = np.isnan(codes)
    missing = int(min(np.nanmin(codes), 0)) - 1
    whole = np.where(is_missing, missing, codes).astype(np.int64)
    return Column(column, kind, vocabulary=_by_frequency(whole), has_missing=bool(is_missing.any()), missing=missing)


def _by_frequency(values: Array) -> tuple[Any, ...]:
    found, counts = np.unique(values, return_counts=True)
    ordered = found[np.argsort(-counts, kind="stable")].tolist()
    return tuple(value for value in ordered if value != UNKNOWN)
