"""Where the files of a trial's callbacks lie: in a folder of its own, so that no two trials write the same file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from typing import Any

import keras

_ATTRIBUTES = {
    keras.callbacks.ModelCheckpoint: "filepath",
    keras.callbacks.CSVLogger: "filename",
    keras.callbacks.TensorBoard: "log_dir",
}


def place_files(callbacks: list[Any], folder: Callable[[], str], trial: int | str) -> list[str]:
    """Gives Keras's callbacks that write files a place of this trial: relative paths in `folder`, others in a folder
    of the trial's beside them. Returns what each writes. The folder is asked for only if there are such paths."""
    told = []
    for callback in callbacks:
        for kind, attribute in _ATTRIBUTES.items():
            if isinstance(callback, kind):
                path = _placed(os.fspath(getattr(callback, attribute)), folder, trial, kind)
                setattr(callback, attribute, path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                told.append(f"{type(callback).__name__} {path}")
    return told


def go_on(callbacks: list[Any], epoch: int) -> None:
    """Lets logs of an earlier attempt go on after so many epochs: what it wrote of later ones goes."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger) and os.path.exists(callback.filename):
            _cut(callback.filename, callback.sep, epoch)
            callback.append = True


def _placed(path: str, folder: Callable[[], str], trial: int | str, kind: type) -> str:
    if "://" in path:
        head, _, tail = path.rpartition("/")
        return f"{path}/trial-{trial}" if kind is keras.callbacks.TensorBoard else f"{head}/trial-{trial}/{tail}"
    path = os.path.expanduser(path)
    if not os.path.isabs(path):
        return os.path.join(folder(), path)
    if kind is keras.callbacks.TensorBoard:
        return os.path.join(path, f"trial-{trial}")
    return os.path.join(os.path.dirname(path), f"trial-{trial}", os.path.basename(path))


def _cut(path: str, separator: str, epoch: int) -> None:
    """Keeps a log's header and its rows of the epochs before this one, from 0."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file, delimiter=separator))
    kept = [row for row in rows if row and (not row[0].isdigit() or int(row[0]) < epoch)]
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=separator).writerows(kept)
