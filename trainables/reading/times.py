"""A table whose rows follow each other in time."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainables.contract import DataError
from trainables.reading.tables import Table


def whole(table: Table) -> Any:
    """All of a table as one data frame."""
    import pandas as pd

    columns = table.columns()
    chunks = list(table.chunks(columns))
    return pd.concat(chunks, ignore_index=True) if chunks else pd.DataFrame(columns=columns)


def check_order(table: Table, times: Any, column: str) -> None:
    """Refuses rows that are out of order: what is split by time would leak.

    Args:
        times: the column that says when, of numbers, dates or texts of dates.

    Raises:
        DataError: a row says no time, or an earlier one than the row before.
    """
    import pandas as pd

    if times.dtype.kind not in "biufM":
        try:
            times = pd.to_datetime(times, format="ISO8601")
        except (ValueError, TypeError):
            try:
                times = pd.to_datetime(times, format="mixed")
            except (ValueError, TypeError):
                got = " ".join(str(times.iloc[0]).split())[:40]
                raise DataError(
                    f"{table.name}: column {column} must hold times, but got {got!r} in {table.row(0)}"
                ) from None
    missing = np.flatnonzero(times.isna().to_numpy())
    if len(missing):
        raise DataError(
            f"{table.name}: column {column} must say when each row is, but {table.row(int(missing[0]))} does not"
        )
    values = times.to_numpy()
    if len(before := np.flatnonzero(values[1:] < values[:-1])):
        row = int(before[0]) + 1
        rule = f"must be in order of {column}, but {table.row(row)} is before {table.row(row - 1)}"
        raise DataError(f"{table.name}: {rule}; sort the file; of several series in one file take one")
