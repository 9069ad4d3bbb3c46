"""The target of a table: which column it is, and whether it holds classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from trainables.columns.frames import Rows
from trainables.contract import DataError
from trainables.reading.labels import Column, Labels, labels_of, nearest

Array = np.ndarray[Any, Any]
Task = Literal["auto", "classification", "regression"]

NAMES = ("target", "label", "y", "class")
"""What a target is called, in the order in which they are looked for."""
UNEVEN = 5
"""From this proportion of its largest class to its smallest on, a target is said to be unbalanced."""


def target_of(columns: list[str], wanted: str) -> str | None:
    """The target among these columns; None if the one that is wanted is not there."""
    if wanted:
        return wanted if wanted in columns else None
    lower = {column.lower(): column for column in reversed(columns)}
    return next((lower[name] for name in NAMES if name in lower), columns[-1] if columns else None)


def checked_target(rows: Rows, wanted: str) -> tuple[str, list[str]]:
    """The target of a table, and what is to be told of it.

    Raises:
        DataError: there is no such column, or no other one.
    """
    columns = list(map(str, rows.frame.columns))
    found = target_of(columns, wanted)
    if found is None:
        raise DataError(
            f"{rows.name}: space.target must name a column, but there is no {wanted}{nearest(wanted, columns)}"
        )
    if len(columns) < 2:
        raise DataError(f"{rows.name}: must have columns beside the target, but has {columns[0]} alone")
    if wanted or found == "target":
        return found, []
    why = "by its name" if found.lower() in NAMES else "the last column"
    return found, [f"{rows.name}: the target is {found}, {why}; space.target names another"]


def labels_in(rows: Rows, target: str, task: Task) -> tuple[Labels, list[str]]:
    """The target as classes or numbers, and what is to be told of it.

    Raises:
        DataError: values are missing, all are the same, or they are not what `task` says.
    """
    values = rows.frame[target].to_numpy()
    if values.dtype.kind not in "biufO":
        values = values.astype(object)
    column = Column(f"{rows.name}: target {target}", rows.row)
    found = labels_of(values, column, {"classification": True, "regression": False, "auto": None}[task])
    if (
        task == "auto"
        and found.classes is None
        and len(np.unique(found.y)) == 2
        and (found.y == np.floor(found.y)).all()
    ):
        found = labels_of(values, column, True)
    notes = []
    if found.notes:
        notes = [f"{column.name} is taken as numbers to predict; for classes set space.task: classification"]
    return replace(found, notes=()), notes


def balance_notes(name: str, labels: Labels, train: Array) -> list[str]:
    """A line where classes have very different numbers of rows."""
    counts = labels.counts(train)
    if not counts or max(counts.values()) < UNEVEN * min(counts.values()):
        return []
    least = min(counts, key=lambda label: counts[label])
    share = 100 * counts[least] / sum(counts.values())
    return [f"{name}: class {least} has {share:.2g}% of the training rows; class_weights: balanced makes up for that"]
