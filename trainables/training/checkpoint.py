"""Checkpoints: one `.npz` file with everything that the next epoch depends on, and no pickle in it."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

_FORMAT = 1


class CheckpointError(Exception):
    """A checkpoint cannot be read, or it is of another model."""


@dataclass
class Progress:
    """How far a training is; `best_values` are the model's variables after its best epoch."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = float("nan")
    best_values: list[Any] = field(default_factory=list)


def write_checkpoint(path: Path, values: list[Any], progress: Progress) -> None:
    """Writes a checkpoint so that a crash at any instant leaves either the old one or the new one."""
    header = {key: value for key, value in vars(progress).items() if key != "best_values"}
    arrays = {f"state_{index}": value for index, value in enumerate(values)}
    arrays |= {f"best_{index}": value for index, value in enumerate(progress.best_values)}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, header=np.array(json.dumps({"format": _FORMAT, **header})), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_checkpoint(path: Path, variables: list[Any], num_model_variables: int) -> tuple[list[Any], Progress]:
    """The values of these variables and how far the training was.

    Raises:
        CheckpointError: the file is missing, damaged, or does not hold values for exactly these variables.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        header = json.loads(str(content.pop("header")))
        known = header.pop("format")
        progress = Progress(**header)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: must be a whole checkpoint, but cannot be read: {error}") from error
    if known != _FORMAT:
        raise CheckpointError(f"{path}: must have format {_FORMAT}, but got {known}: another version wrote it")
    values = [content[name] for name in _numbered(content, "state")]
    progress.best_values = [content[name] for name in _numbered(content, "best")]
    best_variables = variables[:num_model_variables] if progress.best_epoch else []
    for found, expected in ((values, variables), (progress.best_values, best_variables)):
        _check_shapes(path, found, expected)
    return values, progress


def _numbered(content: dict[str, Any], prefix: str) -> list[str]:
    names = (name for name in content if name.startswith(f"{prefix}_"))
    return sorted(names, key=lambda name: int(name.rpartition("_")[2]))


def _check_shapes(path: Path, found: list[Any], expected: list[Any]) -> None:
    if len(found) != len(expected):
        raise CheckpointError(f"{path}: must hold {len(expected)} variables of this model, but got {len(found)}")
    for array, variable in zip(found, expected, strict=True):
        if array.shape != tuple(variable.shape):
            raise CheckpointError(
                f"{path}: {variable.path} must have the shape {tuple(variable.shape)}, but got {array.shape}"
            )
