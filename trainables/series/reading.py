"""A series with one or several columns: a CSV or Parquet file, an .npz file, or the made set."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables import remote
from trainables.contract import DataError
from trainables.data import read_npz
from trainables.reading import places
from trainables.reading.labels import nearest
from trainables.reading.tables import SUFFIXES, Table, table_of
from trainables.reading.times import check_order, whole
from trainables.series import seasons

Array = np.ndarray[Any, Any]

OPTIONS = ("target", "time_column", "columns")
"""What `read` is told."""
_TARGET_NAMES = ("target", "y", "value")
_TIME_NAMES = ("time", "date", "datetime", "timestamp", "ds", "hour", "day", "month", "year", "")
_RULE = "seasons, a CSV or Parquet file with a row for each time, or an .npz file"


@dataclass(frozen=True)
class Series:
    """What is known at each time, in order.

    Attributes:
        values: float32 of shape (times, columns).
        target: the column that is predicted, by its number.
        notes: what was guessed.
    """

    name: str
    values: Array
    columns: tuple[str, ...]
    target: int
    notes: tuple[str, ...] = ()


def read(name: str, options: Mapping[str, Any]) -> Series:
    """The series that a spec's `data` names.

    Args:
        options: a value of each of OPTIONS.

    Raises:
        DataError: there is none, or it holds what is no number.
    """
    if name == "seasons":
        if options["time_column"] is not None:
            raise DataError("seasons: time_column has no effect, as there is none; leave it out")
        target = options["target"] if options["target"] is not None else "load"
        return _series(name, seasons.seasons(), seasons.NAMES, {**options, "target": target})
    path = remote.local_copy(name) if remote.is_url(name) else Path(os.path.expanduser(name))
    if not path.is_file():
        got = "is a folder" if path.is_dir() else f"there is no such file{places.near(path, ('seasons',))}"
        raise DataError(f"{name}: must be {_RULE}, but {got}")
    if path.name.lower().endswith(".npz"):
        return _of_arrays(name, path, options)
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{name}: must be {_RULE}, but is {path.name}")
    return _of_table(table_of(name, path), options)


def _of_arrays(name: str, path: Path, options: Mapping[str, Any]) -> Series:
    if options["time_column"] is not None:
        raise DataError(f"{name}: time_column has no effect on arrays, whose rows are in order; leave it out")
    names = tuple(_entries(path))
    arrays = read_npz(path, names, names) if names else read_npz(path, ("series",), ("series",))
    if len(arrays) > 1 and "series" not in arrays:
        raise DataError(f"{name}: must hold one array, or one named series, but got {', '.join(names[:10])}")
    values = arrays["series"] if "series" in arrays else next(iter(arrays.values()))
    if values.ndim > 2:
        raise DataError(f"{name}: must hold an array of shape (times,) or (times, columns), but got {values.shape}")
    values = values.reshape(len(values), -1)
    return _series(name, values, tuple(map(str, range(values.shape[1]))), options)


def _entries(path: Path) -> list[str]:
    if not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()[:100]]
    except (OSError, zipfile.BadZipFile):
        return []


def _of_table(table: Table, options: Mapping[str, Any]) -> Series:
    there = table.columns()
    if twice := [name for name in dict.fromkeys(there) if there.count(name) > 1]:
        raise DataError(f"{table.name}: must have each column once, but has {twice[0]} twice")
    frame = whole(table)
    if not len(frame):
        raise DataError(f"{table.name}: must hold at least one row, but has a header alone")
    time = _time_column(table, frame, options)
    if time is not None:
        check_order(table, frame[time], time)
    named = options["columns"] or ([options["target"]] if options["target"] is not None else [])
    for name in map(str, named):
        if name not in there:
            raise DataError(f"{table.name}: must have a column {name}, but has none{nearest(name, there)}")
    columns = tuple(name for name in map(str, options["columns"] or there) if name != time)
    values = np.stack([_numbers(table, frame[name], name) for name in columns], axis=1) if columns else np.empty((0, 0))
    return _series(table.name, values, columns, options)


def _time_column(table: Table, frame: Any, options: Mapping[str, Any]) -> str | None:
    """The column that says when; by default one with a usual name that is no number, or counts the rows."""
    there = list(frame.columns)
    wanted = options["time_column"]
    if wanted is not None:
        if wanted not in there:
            raise DataError(
                f"{table.name}: time_column must be a column, but there is no {wanted}{nearest(str(wanted), there)}"
            )
        return str(wanted)
    kept = {*map(str, options["columns"] or ()), str(options["target"])}
    for name in there:
        if name in kept or name.strip().lower() not in _TIME_NAMES:
            continue
        if frame[name].dtype.kind not in "biuf" or bool((frame[name].diff().dropna() > 0).all()):
            return str(name)
    return None


def _numbers(table: Table, values: Any, column: str) -> Array:
    array = values.to_numpy()
    if array.dtype.kind not in "biuf":
        row, got = next((row, value) for row, value in enumerate(array) if not isinstance(value, int | float))
        raise DataError(
            f"{table.name}: column {column} must hold numbers, but got {str(got)[:40]!r} in {table.row(row)}; name the"
            " columns to use as columns, or the one that says when as time_column"
        )
    wrong = np.flatnonzero(~np.isfinite(array.astype(np.float64)))
    if len(wrong):
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise DataError(
            f"{table.name}: column {column} must hold a finite number in each row, but has none in"
            f" {table.row(int(wrong[0]))}{more}; fill such gaps before, or leave the column out by columns"
        )
    found: Array = array.astype(np.float32)
    return found


def _series(name: str, values: Array, columns: tuple[str, ...], options: Mapping[str, Any]) -> Series:
    if not columns:
        raise DataError(f"{name}: must have a column of numbers, but has none")
    chosen = options["columns"] and tuple(map(str, options["columns"]))
    for wanted in chosen or ():
        if wanted not in columns:
            raise DataError(f"{name}: must have a column {wanted}, but has none{nearest(wanted, columns)}")
    if chosen:
        values, columns = values[:, [columns.index(wanted) for wanted in chosen]], chosen
    target: Any = options["target"]
    notes: tuple[str, ...] = ()
    if target is None:
        by_name = {column.strip().lower(): column for column in columns}
        found = next((by_name[usual] for usual in _TARGET_NAMES if usual in by_name), None)
        target = found or columns[-1]
        if found is None and len(columns) > 1:
            notes = (f"{name}: what is predicted is the last column, {target}; name another one as target",)
    if str(target) not in columns:
        raise DataError(f"{name}: target must be a column, but there is no {target}{nearest(str(target), columns)}")
    return Series(name, np.asarray(values, np.float32), columns, columns.index(str(target)), notes)
