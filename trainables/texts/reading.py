"""Texts with their classes: a folder of `.txt` files by class, a table with a column of each, or the made sentences."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trainables import remote
from trainables.contract import Data, DataError
from trainables.reading.building import of_arrays
from trainables.reading.folders import PART_FOLDERS
from trainables.reading.labels import Column, labels_of, nearest
from trainables.reading.places import folder, is_hidden, near, walk
from trainables.reading.planning import Wanted, planned
from trainables.reading.splitting import TEST, TRAIN, VALIDATION
from trainables.reading.tables import SUFFIXES, Table, table_of
from trainables.texts.sentences import sentences

Array = np.ndarray[Any, Any]

OPTIONS = ("text_column", "label_column", "validation_share", "test_share", "split_seed")
"""What `read` is told."""
_TEXT_NAMES = ("text", "texts", "sentence", "review", "content", "message", "comment", "body", "document", "tweet")
_LABEL_NAMES = ("label", "labels", "class", "category", "target", "sentiment", "intent", "y")
_IN_MEMORY_BYTES = 1 << 62
_SEEN_ROWS = 1000


def read(name: str, options: Mapping[str, Any]) -> Data:
    """x holds texts, y classes.

    Args:
        name: what the spec's `data` is.
        options: a value of each of OPTIONS.

    Raises:
        DataError: there is no such data, or they are no texts with at least two classes.
    """
    if name == "sentences":
        return sentences()
    path = remote.local_copy(name) if remote.is_url(name) else Path(os.path.expanduser(name))
    if not path.exists():
        rule = "must be sentences, a folder of .txt files by class, or a CSV or Parquet file"
        raise DataError(f"{name}: {rule}, but there is no such file or folder{near(path, ('sentences',))}")
    wanted = Wanted(options["validation_share"], options["test_share"] or None, None, options["split_seed"], None)
    try:
        return _of_files(name, path, options, wanted)
    except DataError as error:  # what is said of arguments that no spec has
        raise DataError(str(error).replace("leave it out, or split with stratify=False", "or leave it out")) from None


def _of_files(name: str, path: Path, options: Mapping[str, Any], wanted: Wanted) -> Data:
    tables = _tables(name, path)
    if not tables:
        for option in ("text_column", "label_column"):
            if options[option] is not None:
                raise DataError(f"{name}: {option} has no effect on a folder of texts; leave it out")
        return _of_folder(name, wanted)
    return _of_tables(name, tables, options["text_column"], options["label_column"], wanted)


def _of_folder(name: str, wanted: Wanted) -> Data:
    shown, root = folder(name)
    parts = {PART_FOLDERS.get(path.name.lower()) for path in root.iterdir() if path.is_dir()}
    share = None if {TRAIN, VALIDATION} <= parts else wanted.validation
    return Data.from_text_folder(
        shown, validation=share, test=wanted.test, seed=wanted.seed, in_memory_bytes=_IN_MEMORY_BYTES
    )


def _tables(name: str, path: Path) -> list[tuple[int, Table]]:
    """The tables that a path names, each with the part of the data that it is; none for a folder of texts."""
    if path.is_file():
        if not path.name.lower().endswith(SUFFIXES):
            rule = "must be a folder of .txt files by class, or a CSV or Parquet file (.csv, .tsv, .parquet)"
            raise DataError(f"{name}: {rule}, but is {path.name}")
        return [(TRAIN, table_of(name, path))]
    found = [file for file in walk(path) if file.name.lower().endswith(SUFFIXES) and file.parent == path]
    if any(folder.is_dir() and not is_hidden(folder.name) for folder in path.iterdir()) or not found:
        return []
    parts = [PART_FOLDERS.get(file.name.partition(".")[0].lower(), TRAIN) for file in found]
    if TRAIN not in parts:
        raise DataError(f"{name}: must hold a table to train on, but holds {', '.join(file.name for file in found)}")
    return [(part, table_of(f"{name.rstrip('/')}/{file.name}", file)) for part, file in zip(parts, found, strict=True)]


def _of_tables(name: str, tables: list[tuple[int, Table]], text_column: Any, label_column: Any, wanted: Wanted) -> Data:
    text, label, notes = columns(tables[0][1], text_column, label_column)
    texts, classes, parts = [], [], []
    for part, table in tables:
        there = table.columns()
        if missing := [wanted_name for wanted_name in (text, label) if wanted_name not in there]:
            raise DataError(f"{table.name}: must have a column {missing[0]}, but has none{nearest(missing[0], there)}")
        own = np.concatenate(
            [_texts(chunk[text], table, text) for chunk in table.chunks([text])] or [np.empty(0, object)]
        )
        if not len(own):
            raise DataError(f"{table.name}: must hold at least one row, but has a header alone")
        texts.append(own)
        classes.append(np.concatenate([np.asarray(chunk[label]).astype(object) for chunk in table.chunks([label])]))
        parts.append(np.full(len(own), part, np.uint8))
    given = np.concatenate(parts)
    column = Column(f"{name}: column {label}", lambda row: f"row {row + 1}")
    labels = labels_of(np.concatenate(classes), column, classes=True)
    share = None if (given == VALIDATION).any() else wanted.validation
    test = None if (given == TEST).any() else wanted.test
    plan = planned(name, len(given), labels, Wanted(share, test, None, wanted.seed, None), given)
    description = {"source": name, "seed": wanted.seed, "text_column": text, "label_column": label}
    data = of_arrays(plan, np.concatenate(texts), description)
    return replace(data, notes=(*data.notes, *notes))


def _texts(values: Any, table: Table, column: str) -> Array:
    found = np.asarray(values).astype(object)
    for row, value in enumerate(found):
        if not isinstance(value, str):
            got = "nothing" if value is None or value != value else f"{value!r}"
            raise DataError(
                f"{table.name}: column {column} must hold a text in each row, but got {got} in {table.row(row)};"
                " fill or drop such rows, or name another column as text_column"
            )
    return found


def columns(table: Table, text: Any, label: Any) -> tuple[str, str, tuple[str, ...]]:
    """The columns of the texts and of the classes, and what to tell of a guess.

    Raises:
        DataError: a column that is named is missing, or which ones they are cannot be told.
    """
    there = table.columns()
    for option, name in (("text_column", text), ("label_column", label)):
        if name is not None and name not in there:
            hint = nearest(str(name), there)
            raise DataError(f"{table.name}: {option} must be a column, but there is no {name}{hint}")
    if text is not None and text == label:
        raise DataError(f"{table.name}: text_column and label_column must be two columns, but both are {text}")
    if len(there) < 2:
        got = there[0] if there else "nothing"
        raise DataError(f"{table.name}: must have a column of texts and one of classes, but has {got} alone")
    text_by_name = text or _named([name for name in there if name != label], _TEXT_NAMES)
    label_by_name = label or _named([name for name in there if name != text_by_name], _LABEL_NAMES)
    text = text_by_name or _longest(table, [name for name in there if name != label_by_name])
    if text is None:
        raise DataError(
            f"{table.name}: must have a column of texts, but {', '.join(there[:10])} hold none; name it as text_column"
        )
    rest = [name for name in there if name != text]
    label = label_by_name or (rest[0] if len(rest) == 1 else None)
    if label is None:
        known = ", ".join(_LABEL_NAMES[:4])
        raise DataError(
            f"{table.name}: must have a column of classes named {known} or so, but has {', '.join(rest[:10])}; name it"
            " as label_column"
        )
    guessed = [f"the texts are those of column {text} (text_column)"] if text_by_name is None else []
    guessed += [f"the classes are those of column {label} (label_column)"] if label_by_name is None else []
    return text, label, (f"{table.name}: {', '.join(guessed)}",) if guessed else ()


def _named(there: list[str], names: tuple[str, ...]) -> str | None:
    by_name = {name.strip().lower(): name for name in reversed(there)}
    return next((by_name[name] for name in names if name in by_name), None)


def _longest(table: Table, there: list[str]) -> str | None:
    """The column whose values are the longest texts in the first rows."""
    first = next(iter(table.chunks(there)), None)
    if first is None:
        return None
    mean: dict[str, float] = {}
    for name in there:
        values = [value for value in first[name].to_numpy()[:_SEEN_ROWS] if isinstance(value, str)]
        if values:
            mean[name] = sum(map(len, values)) / len(values)
    return max(mean, key=lambda name: mean[name]) if mean else None
