"""Checkpoints: everything that the next epoch depends on, as the bytes of one `.npz` file with no pickle in it.

Where the bytes are kept is the caller's affair.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Snapshot:
    """A training at the end of an epoch, copied from the device; training may go on while it is written."""

    values: list[Any]
    """The model's and the optimizer's variables; none where only the best weights are wanted."""
    progress: Progress

    def to_bytes(self) -> bytes:
        """The bytes of a checkpoint."""
        header = {key: value for key, value in vars(self.progress).items() if key != "best_values"}
        arrays = {f"state_{index}": value for index, value in enumerate(self.values)}
        arrays |= {f"best_{index}": value for index, value in enumerate(self.progress.best_values)}
        file = io.BytesIO()
        np.savez(file, header=np.array(json.dumps({"format": _FORMAT, **header})), **arrays)
        return file.getvalue()


def read_checkpoint(data: bytes, variables: list[Any], num_model_variables: int) -> tuple[list[Any], Progress]:
    """The values of these variables and how far the training was.

    Raises:
        CheckpointError: the bytes are damaged, or do not hold values for exactly these variables.
    """
    values, progress = _read(data)
    best_variables = variables[:num_model_variables] if progress.best_epoch else []
    for found, expected in ((values, variables), (progress.best_values, best_variables)):
        _check_shapes(found, expected)
    return values, progress


def read_best(data: bytes, model_variables: list[Any]) -> list[Any]:
    """The values of a model's variables after its best epoch, of either kind of checkpoint.

    Raises:
        CheckpointError: as of `read_checkpoint`.
    """
    _, progress = _read(data)
    _check_shapes(progress.best_values, model_variables)
    return progress.best_values


def _read(data: bytes) -> tuple[list[Any], Progress]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays.files}
        header = json.loads(str(content.pop("header")))
        known = header.pop("format")
        progress = Progress(**header)
    except Exception as error:  # a flipped bit may be anything to zip, zlib, NumPy and JSON
        raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error
    if known != _FORMAT:
        raise CheckpointError(f"must have format {_FORMAT}, but got {known}: another version wrote it")
    values = [content[name] for name in _numbered(content, "state")]
    progress.best_values = [content[name] for name in _numbered(content, "best")]
    return values, progress


def _numbered(content: dict[str, Any], prefix: str) -> list[str]:
    names = (name for name in content if name.startswith(f"{prefix}_"))
    return sorted(names, key=lambda name: int(name.rpartition("_")[2]))


def _check_shapes(found: list[Any], expected: list[Any]) -> None:
    if len(found) != len(expected):
        raise CheckpointError(f"must hold {len(expected)} variables of this model, but got {len(found)}")
    for array, variable in zip(found, expected, strict=True):
        if array.shape != tuple(variable.shape):
            raise CheckpointError(f"{variable.path} must have the shape {tuple(variable.shape)}, but got {array.shape}")
