"""The rows of CSV and Parquet files, and of scikit-learn's small tables, as one data frame."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading import places
from trainables.reading.folders import PART_FOLDERS
from trainables.reading.splitting import TEST, TRAIN
from trainables.reading.tables import PARQUET, SUFFIXES, CsvTable, Table, table_of
from trainables.room import GIB, free_bytes

BUILT_IN = ("breast_cancer", "wine", "diabetes")
"""Tables that scikit-learn ships."""
_FRAME_BYTES_A_BYTE = 3
"""Memory that the frame of a CSV file takes, at most as a rule, for each byte of the file."""
_MEASURES = ("radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave points",
             "symmetry", "fractal dimension")  # fmt: skip
_COLUMNS = {
    "breast_cancer": [text for form in ("mean {}", "{} error", "worst {}") for text in map(form.format, _MEASURES)],
    "wine": ["alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
             "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue", "od280/od315_of_diluted_wines",
             "proline"],
    "diabetes": ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"],
}  # fmt: skip


@dataclass(frozen=True)
class Rows:
    """All rows of what a user names.

    Attributes:
        name: for messages.
        parts: the part of each row, of shape (rows,).
        row: what messages call a row of the frame.
    """

    name: str
    frame: Any
    parts: np.ndarray[Any, Any]
    row: Callable[[int], str]
    notes: tuple[str, ...] = ()


def read(data: str, has_target: Callable[[list[str]], bool]) -> Rows:
    """The rows of a built-in table, a file, or a folder of files that may be called train, validation and test.

    Args:
        has_target: whether a table with these columns holds the target; a test file without one is left out.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    if data in BUILT_IN:
        return _built_in(data)
    tables, parts, notes = _tables(data)
    columns = [_columns(table) for table in tables]
    for table, part, own in zip(list(tables), list(parts), list(columns), strict=True):
        if part == TEST and not has_target(own) and len(tables) > 1:
            notes.append(f"{table.name}: left out, as it has no target column")
            index = tables.index(table)
            del tables[index], parts[index], columns[index]
    return _joined(data, tables, parts, columns, notes)


def _joined(data: str, tables: list[Table], parts: list[int], columns: list[list[str]], notes: list[str]) -> Rows:
    import pandas as pd

    frames = []
    for table, own in zip(tables, columns, strict=True):
        if {*own} != {*columns[0]}:
            other = sorted({*own} ^ {*columns[0]})[0]
            where = "this one alone" if other in own else "the others alone"
            raise DataError(f"{table.name}: must have the columns of {tables[0].name}, but {where} has {other}")
        if len(own) < len(table.columns()):
            notes.append(f"{table.name}: its column without a name is left out")
        pieces = [chunk for chunk in table.chunks(columns[0]) if len(chunk)]
        if not pieces:
            raise DataError(f"{table.name}: must hold at least one row, but has a header alone")
        frames += [pd.concat(pieces, ignore_index=True) if len(pieces) > 1 else pieces[0].reset_index(drop=True)]
    counts = [len(frame) for frame in frames]
    ends = np.cumsum(counts)

    def row(number: int) -> str:
        index = int(np.searchsorted(ends, number, side="right"))
        at = tables[index].row(number - int(ends[index] - counts[index]))
        return at if len(tables) == 1 else f"{at} of {tables[index].name}"

    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    name = tables[0].name if len(tables) == 1 else data
    return Rows(name, frame, np.repeat(np.array(parts, np.uint8), counts), row, tuple(dict.fromkeys(notes)))


def _tables(data: str) -> tuple[list[Table], list[int], list[str]]:
    """The tables of files, and their parts."""
    try:
        named = places.files(data, SUFFIXES)
    except DataError as error:
        near = difflib.get_close_matches(data, BUILT_IN, n=1)
        is_asked = "did you mean" in str(error) or "there is none" not in str(error) or "/" in data
        hint = "" if is_asked else f"; did you mean {near[0]}?" if near else f"; built-in are {', '.join(BUILT_IN)}"
        raise DataError(f"{error}{hint}") from None
    kinds = {name.lower().endswith(PARQUET) for name, _ in named}
    if len(kinds) > 1:
        raise DataError(f"{data}: must hold CSV files or Parquet files, but holds both")
    if other := next((name for name, _ in named if not name.lower().endswith(SUFFIXES)), None):
        raise DataError(f"{other}: must be a CSV or Parquet file ({', '.join(SUFFIXES)})")
    size_bytes = sum(path.stat().st_size for _, path in named) * _FRAME_BYTES_A_BYTE
    if size_bytes > (free := free_bytes()):
        raise DataError(
            f"{data}: takes some {size_bytes / GIB:.1f} GiB of memory, but {free / GIB:.1f} GiB are free; a trainable"
            " of your own streams such files with Data.from_csv or Data.from_parquet"
        )
    tables = [table_of(*one) for one in named]
    notes = [
        f"{table.name}: its columns are separated by {table.separator!r}"
        for table in tables
        if isinstance(table, CsvTable) and table.separator != ","
    ]
    return tables, _parts(data, named), notes


def _parts(data: str, named: list[places.Named]) -> list[int]:
    """The part of each file of a folder by its name, or that of its folder: all train unless some are called so."""
    if len(named) < 2:
        return [TRAIN] * len(named)
    inside = [PurePosixPath(name.removeprefix(data.rstrip("/")).lstrip("/")).parts[0] for name, _ in named]
    parts = [PART_FOLDERS.get(first.partition(".")[0].lower()) for first in inside]
    if TRAIN not in parts or {*parts} <= {TRAIN, None}:
        return [TRAIN] * len(named)
    if other := next((name for (name, _), part in zip(named, parts, strict=True) if part is None), None):
        raise DataError(f"{data}: must hold nothing but train, validation and test files, but holds {other}, too")
    return [part for part in parts if part is not None]


def _columns(table: Table) -> list[str]:
    """The columns with a name."""
    there = table.columns()
    if twice := [name for name in dict.fromkeys(there) if there.count(name) > 1]:
        raise DataError(f"{table.name}: must have each column once, but has {twice[0] or 'one without a name'} twice")
    return [name for name in there if name]


def _built_in(name: str) -> Rows:
    """A table of scikit-learn's, from its file, as importing scikit-learn takes seconds."""
    import pandas as pd

    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataError(f"{name}: needs scikit-learn: `pip install scikit-learn`")
    folder = Path(package.submodule_search_locations[0]) / "datasets" / "data"
    if name == "diabetes":
        frame = pd.read_csv(folder / "diabetes_data_raw.csv.gz", sep=r"\s+", header=None, names=_COLUMNS[name])
        frame["target"] = np.loadtxt(folder / "diabetes_target.csv.gz")
    else:
        path = folder / ("breast_cancer.csv" if name == "breast_cancer" else "wine_data.csv")
        classes = path.read_text().partition("\n")[0].split(",")[2:]
        frame = pd.read_csv(path, skiprows=1, header=None, names=[*_COLUMNS[name], "target"])
        frame["target"] = [classes[number] for number in frame["target"]]
    return Rows(name, frame, np.full(len(frame), TRAIN, np.uint8), lambda number: f"row {number + 1}")
