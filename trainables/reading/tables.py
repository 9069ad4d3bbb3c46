"""Tables: pandas DataFrames, CSV and Parquet files. Labels are read first, then the columns of x, a piece at a time."""

from __future__ import annotations

import csv
import gzip
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading import node_cache, places
from trainables.reading.building import of_arrays, of_rows
from trainables.reading.encoding import Encoding, encoded
from trainables.reading.labels import Column, Labels, labels_of, nearest, text_of
from trainables.reading.planning import Plan, Wanted, check_flag, planned
from trainables.reading.rows import decoded
from trainables.reading.splitting import TEST, TRAIN, VALIDATION

Array = np.ndarray[Any, Any]

_CHUNK_ROWS = 50_000
_OTHER_FILES = {
    b"PK": "a ZIP file, or of Excel: unpack it, or from_frame(pandas.read_excel(…), …)",
    b"PAR1": "a Parquet file: Data.from_parquet reads it",
}
"""How files begin that people take for CSV."""
_SEPARATORS = (";", "\t", "|", ",")
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet", ".pq")
"""Of files that hold a table."""
PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Columns:
    """Which columns are what; see `Readers.from_frame`."""

    target: str | int | Sequence[str] | None
    features: Sequence[str] | None
    categorical: Sequence[str]
    classes: bool | None

    def __post_init__(self) -> None:
        check_flag("classes", self.classes)

    @property
    def targets(self) -> list[str]:
        """The names in `target`; a frame's may be numbers.

        Raises:
            DataError: it holds no names.
        """
        if self.target is None or isinstance(self.target, str | int):
            return [] if self.target is None else [self.target]  # type: ignore[list-item]
        if not isinstance(self.target, list | tuple):
            raise DataError(f"target must name a column, or list several, but got {type(self.target).__name__}")
        return list(self.target)

    def of(self, table: Table) -> list[str]:
        """The columns of x in this table.

        Raises:
            DataError: it has not all that are named.
        """
        for option, names in (("features", self.features or ()), ("categorical", self.categorical)):
            if isinstance(names, str):
                raise DataError(f"{option} must be a list of columns, but got the text {names!r}: write [{names!r}]")
        there = table.columns()
        if twice := [name for name in dict.fromkeys(there) if there.count(name) > 1]:
            raise DataError(f"{table.name}: must have each column once, but has {twice[0]} twice")
        for name in (*self.targets, *(self.features or ()), *self.categorical):
            if name not in there:
                known = [str(column) for column in there]
                hint = table.separated_by() or nearest(str(name), known)
                raise DataError(f"{table.name}: must have a column {name}, but has none{hint}")
        features = list(self.features) if self.features is not None else [n for n in there if n not in self.targets]
        for name in self.categorical:
            if name not in features:
                raise DataError(f"{table.name}: categorical must name columns of x, but {name} is none of them")
        if both := [name for name in features if name in self.targets]:
            raise DataError(f"{table.name}: features must not hold the target {both[0]}, which the model is to predict")
        if "" in features:
            raise DataError(
                f"{table.name}: column {there.index('') + 1} must have a name, but has none (pandas writes row"
                " numbers so, without index=False); name it, or the columns of x by features=[…]"
            )
        if not features:
            raise DataError(f"{table.name}: must have columns beside the target, but has none")
        return features


class Table(ABC):
    """One table with its name for messages."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def columns(self) -> list[str]:
        """The names of all columns."""

    @abstractmethod
    def chunks(self, columns: Sequence[str]) -> Iterator[Any]:
        """The table as data frames with these columns, a piece at a time."""

    def stamp(self) -> tuple[Any, ...] | None:
        """Changes when the table does; None if it lies in memory."""
        return None

    def row(self, number: int) -> str:
        """What messages call a row."""
        return f"row {number + 1}"

    def separated_by(self) -> str:
        """The hint for a table whose columns were read as one, else empty."""
        return ""


class FrameTable(Table):
    """A pandas DataFrame."""

    def __init__(self, frame: Any) -> None:
        super().__init__("from_frame")
        if not hasattr(frame, "columns") or not hasattr(frame, "iloc"):
            raise DataError(f"from_frame: must be given a pandas DataFrame, but got {type(frame).__name__}")
        self._frame = frame

    @classmethod
    def all_of(cls, given: Any) -> list[Table]:
        return [cls(given)]

    def columns(self) -> list[str]:
        return list(self._frame.columns)

    def chunks(self, columns: Sequence[str]) -> Iterator[Any]:
        yield self._frame[list(columns)]

    def row(self, number: int) -> str:
        return f"row {self._frame.index[number]!r}"


class CsvTable(Table):
    """A CSV file with a header."""

    def __init__(self, named: places.Named, separator: str) -> None:
        super().__init__(named[0])
        self._path, self.separator = named[1], separator

    def columns(self) -> list[str]:
        opened = gzip.open if self._path.name.endswith(".gz") else open
        with (
            _readable(self.name, "a CSV file with a header"),
            opened(self._path, "rt", encoding="utf-8-sig", newline="") as file,
        ):
            return next(csv.reader(file, delimiter=self.separator, skipinitialspace=True), [])

    def chunks(self, columns: Sequence[str]) -> Iterator[Any]:
        import pandas as pd

        with _readable(self.name, "a CSV file with a header"):
            # All columns are read, as pandas ignores fields too many in a row where it is told which to read.
            options: dict[str, Any] = {"chunksize": _CHUNK_ROWS, "index_col": False, "skipinitialspace": True}
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                with pd.read_csv(self._path, sep=self.separator, **options) as reader:
                    for chunk in reader:
                        yield chunk[list(columns)]

    def stamp(self) -> tuple[Any, ...]:
        return (*places.stamp(self._path), self.separator)

    def separated_by(self) -> str:
        there = self.columns()
        found = [other for other in _SEPARATORS if len(there) == 1 and other in there[0]]
        return f"; its columns seem to be separated by {found[0]!r}: write separator={found[0]!r}" if found else ""


class ParquetTable(Table):
    """A Parquet file."""

    def __init__(self, named: places.Named) -> None:
        super().__init__(named[0])
        self._path = named[1]

    @classmethod
    def all_of(cls, given: Any) -> list[Table]:
        return [cls(named) for named in places.files(given, (".parquet", ".pq"))]

    def columns(self) -> list[str]:
        with _readable(self.name, "a Parquet file"), self._open() as file:
            return [str(name) for name in file.schema_arrow.names]

    def chunks(self, columns: Sequence[str]) -> Iterator[Any]:
        with _readable(self.name, "a Parquet file"), self._open() as file:
            for batch in file.iter_batches(_CHUNK_ROWS, columns=list(columns)):
                yield batch.to_pandas()

    def stamp(self) -> tuple[Any, ...]:
        return places.stamp(self._path)

    def _open(self) -> Any:
        try:
            import pyarrow.parquet as parquet
        except ImportError:
            raise DataError(f"{self.name}: needs pyarrow: `pip install pyarrow`") from None
        return parquet.ParquetFile(self._path)


def csv_table(separator: str) -> Callable[[Any], list[Table]]:
    """Makes the tables of what a user names."""
    if not isinstance(separator, str) or len(separator) != 1:
        raise DataError(f"separator must be one character, but got {separator!r}")
    return lambda given: [CsvTable(named, separator) for named in places.files(given, (".csv", ".csv.gz"))]


def table_of(name: str, path: Path) -> Table:
    """The table of one CSV, TSV or Parquet file, which messages call by this name.

    A CSV file's columns are separated by what its header has, where that is no comma.
    """
    if path.name.lower().endswith(PARQUET):
        return ParquetTable((name, path))
    table = CsvTable((name, path), ",")
    header = table.columns()
    found = next((other for other in _SEPARATORS if len(header) == 1 and other in header[0]), None)
    return CsvTable((name, path), found) if found else table


def read(given: Any, kind: Any, columns: Columns, wanted: Wanted, in_memory_bytes: int) -> Data:
    """A `Data` of tables.

    Args:
        kind: the class of the tables, or the function that makes them.

    Raises:
        DataError: a column is missing or holds what cannot be trained on, or the split cannot be had.
    """
    make = getattr(kind, "all_of", kind)
    of_training = make(given)
    tables = [(TRAIN, table) for table in of_training]
    for part in (VALIDATION, TEST):
        if (own := wanted.own(part)) is not None:
            tables += [(part, table) for table in make(own)]
    features = [columns.of(table) for _, table in tables]
    for (_, table), own in zip(tables, features, strict=True):
        if {*own} != {*features[0]}:
            other = sorted({*own} ^ {*features[0]}, key=str)[0]
            where = "this one alone" if other in own else "the others alone"
            raise DataError(f"{table.name}: must have the columns of {tables[0][1].name}, but {where} has {other}")
    labels, categories, counts = _first_look(tables, columns)
    name = tables[0][1].name if len(of_training) == 1 else str(given)
    given_parts = np.repeat(np.array([part for part, _ in tables], np.uint8), counts)
    plan = planned(name, int(sum(counts)), labels, wanted, given_parts)
    encoding = Encoding(tuple(features[0]), {
        column: tuple(sorted({text_of(value) for value in values[plan.rows[TRAIN]] if value == value}))
        for column, values in categories.items()
    })  # fmt: skip
    reader = {FrameTable: "from_frame", ParquetTable: "from_parquet"}.get(kind, "from_csv")
    description = {"reader": reader, "source": name, "seed": wanted.seed, "columns": list(encoding.names)[:1000]}
    return _built(tables, plan, encoding, description, in_memory_bytes)


def _built(
    tables: list[tuple[int, Table]], plan: Plan, encoding: Encoding, description: dict[str, Any], in_memory_bytes: int
) -> Data:
    def batches() -> Iterator[dict[str, Array]]:
        for _, table in tables:
            first = 0
            for chunk in table.chunks(encoding.columns):
                yield {"x": encoded(chunk, encoding, table.name, lambda row, t=table, f=first: t.row(f + row))}  # type: ignore[misc]
                first += len(chunk)

    stamps = [table.stamp() for _, table in tables]
    if any(stamp is None for stamp in stamps):
        x = np.concatenate([batch["x"] for batch in batches()])
        return of_arrays(plan, x, description, feature_names=encoding.names)
    rows = decoded(node_cache.key_of("tables", encoding, stamps), batches)
    if rows is None:
        raise DataError(
            f"{description['source']}: the columns are larger than this machine's disk may hold of them"
            f" ({node_cache.limit_bytes()} bytes by ${node_cache.LIMIT_VARIABLE}): allow more, or name fewer features"
        )
    return of_rows(plan, rows, lambda own: None, description, in_memory_bytes, feature_names=encoding.names)


def _first_look(tables: list[tuple[int, Table]], columns: Columns) -> tuple[Labels | None, dict[str, Array], list[int]]:
    """The labels, the values of categorical columns, and how many rows each table has."""
    wanted = list(dict.fromkeys([*columns.targets, *columns.categorical]))
    targets: list[Any] = []
    values: dict[str, list[Any]] = {name: [] for name in columns.categorical}
    counts = []
    for _, table in tables:
        count = 0
        for chunk in table.chunks(wanted or table.columns()[:1]):
            count += len(chunk)
            if columns.targets:
                target = chunk[columns.targets]
                targets.append(target.to_numpy() if len(columns.targets) > 1 else target.iloc[:, 0].to_numpy())
            for name in columns.categorical:
                values[name].append(chunk[name].to_numpy())
        if not count:
            raise DataError(f"{table.name}: must hold at least one row, but has a header alone")
        counts.append(count)
    labels = _labels(tables, counts, targets, columns) if targets else None
    return labels, {name: np.concatenate(parts) for name, parts in values.items()}, counts


def _labels(tables: list[tuple[int, Table]], counts: list[int], targets: list[Any], columns: Columns) -> Labels:
    ends = np.cumsum(counts)  # where each table's rows end

    def row(number: int) -> str:
        table = int(np.searchsorted(ends, number, side="right"))
        start = int(ends[table] - counts[table])
        at = tables[table][1].row(number - start)
        return at if len(tables) == 1 else f"{at} of {tables[table][1].name}"

    name = f"{tables[0][1].name}: target {', '.join(map(str, columns.targets))}"
    y = np.concatenate([_typed(part) for part in targets])
    if len(columns.targets) > 1:
        y = y.astype(np.float32) if y.dtype.kind in "biuf" else y
        if y.dtype.kind == "O":
            raise DataError(f"{name} must hold numbers where there are several targets, but got text")
    return labels_of(y, Column(name, row), columns.classes)


def _typed(values: Any) -> Array:
    """Pandas's own types as NumPy's."""
    array = np.asarray(values)
    return array if array.dtype.kind in "biufO" else array.astype(object)


@contextmanager
def _readable(name: str, what: str) -> Iterator[None]:
    """Faults of a file as one line."""
    try:
        yield
    except DataError:
        raise
    except UnicodeDecodeError as error:
        way_out = "convert the file, or from_frame(pandas.read_csv(…, encoding=…), …)"
        if other := next((other for start, other in _OTHER_FILES.items() if error.object.startswith(start)), None):
            raise DataError(f"{name}: must be {what}, but is {other}") from None
        raise DataError(
            f"{name}: must be {what} in UTF-8, but {error.reason} at byte {error.start}: {way_out}"
        ) from None
    except Exception as error:  # of pandas and pyarrow, which have many kinds
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{name}: must be {what}, but cannot be read: {reason}") from error
