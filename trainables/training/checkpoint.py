"""Checkpoints: everything that the next epoch depends on, as the bytes of one `.npz` file with no pickle in it.

Where the bytes are kept is the caller's affair.
"""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainables.exceptions import CheckpointError as CheckpointError
from trainables.stored import StoredArrays, StoredError, read_header

_FORMAT = 1
_ENTRY_BYTES = 512
"""What an array has in a file besides its numbers: names, type, shape, place and checksum."""
_HEADER_BYTES_MAX = 2**16
_EXTRA = "callbacks"
_EPOCHS_MAX = 2**53
_LATER: dict[str, Any] = {
    **{"validated": {}, "compiled_after": 0, "jit_compile": None, "plateau": {}},
    **{"steps": 0, "samples": 0},
}
"""Entries of the header that are left out where they say nothing, as older versions do not know them."""
_VALUES_OF_A_VARIABLE = 16
"""A full checkpoint has each variable, the same of the best epoch, and what the optimizer keeps: four at most."""


@dataclass
class Progress:
    """How far a training is; `best_values` are the model's variables after its best epoch."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = float("nan")
    best_values: list[Any] = field(default_factory=list)
    validated: dict[str, float] = field(default_factory=dict)
    """On the fit path, where not every epoch is validated: what the newest validation gave."""
    compiled_after: int = 0
    """On the fit path: the epoch after which a callback compiled the model anew; 0 for none."""
    jit_compile: bool | None = None
    """Whether XLA compiles the trial's steps; None where that was never a question."""
    plateau: dict[str, Any] = field(default_factory=dict)
    """What the rule of the schedule `plateau` knows; empty for other schedules, and before the first epoch."""
    steps: int = 0
    """On the fit path: batches so far."""
    samples: int = 0
    """On the fit path: examples so far."""


@dataclass(frozen=True)
class Snapshot:
    """A training at the end of an epoch, copied from the device; training may go on while it is written."""

    values: list[Any]
    """The model's and the optimizer's variables; none where only the best weights are wanted."""
    progress: Progress
    extra: dict[str, Any] = field(default_factory=dict)
    """Further arrays, such as the state of callbacks, by names that begin with `callbacks`."""

    def to_bytes(self) -> bytes:
        """The bytes of a checkpoint."""
        header = {key: value for key, value in vars(self.progress).items() if key != "best_values"}
        for name, nothing in _LATER.items():
            if header[name] == nothing:
                del header[name]
        arrays = {f"state_{index}": value for index, value in enumerate(self.values)}
        arrays |= {f"best_{index}": value for index, value in enumerate(self.progress.best_values)}
        file = io.BytesIO()
        np.savez(file, header=np.array(json.dumps({"format": _FORMAT, **header})), **arrays, **self.extra)
        return file.getvalue()


def read_checkpoint(data: bytes, variables: list[Any], num_model_variables: int) -> tuple[list[Any], Progress]:
    """The values of these variables and how far the training was.

    Raises:
        CheckpointError: the bytes are damaged, or do not hold values for exactly these variables.
    """
    arrays, progress = _opened(data)
    best_variables = variables[:num_model_variables] if progress.best_epoch else []
    state, best = (
        _checked(arrays, "state", variables),
        _checked(arrays, "best", best_variables),
    )
    num_found = sum(not name.startswith(_EXTRA) for name in arrays.headers)
    if num_found != 1 + len(state) + len(best):
        raise CheckpointError(f"must hold {1 + len(state) + len(best)} arrays, but got {num_found}")
    progress.best_values = _read(arrays, best)
    return _read(arrays, state), progress


def read_extra(data: bytes) -> dict[str, Any]:
    """The further arrays of a checkpoint, by name.

    Raises:
        CheckpointError: the bytes are damaged.
    """
    arrays, _ = _opened(data)
    names = [name for name in arrays.headers if name.startswith(_EXTRA)]
    return dict(zip(names, _read(arrays, names), strict=True))


def read_progress(data: bytes, model_variables: list[Any]) -> Progress:
    """How far a training was, with the best epoch's values of a model's variables.

    Raises:
        CheckpointError: as of `read_checkpoint`.
    """
    arrays, progress = _opened(data)
    progress.best_values = _read(arrays, _checked(arrays, "best", model_variables if progress.best_epoch else []))
    return progress


def read_best(data: bytes, model_variables: list[Any]) -> list[Any]:
    """The values of a model's variables after its best epoch, of either kind of checkpoint.

    Raises:
        CheckpointError: as of `read_checkpoint`.
    """
    arrays, _ = _opened(data)
    return _read(arrays, _checked(arrays, "best", model_variables))


def bytes_max(variables: list[Any], num_model_variables: int) -> int:
    """The size that no checkpoint of these variables exceeds."""
    kept = [*variables, *variables[:num_model_variables]]
    return sum(_nbytes(variable) + _ENTRY_BYTES for variable in kept) + _HEADER_BYTES_MAX


def best_bytes_max(model_variables: list[Any]) -> int:
    """The same where the model alone is known, and not what its optimizer keeps of each variable."""
    return _VALUES_OF_A_VARIABLE * bytes_max(model_variables, 0)


def _opened(data: bytes) -> tuple[StoredArrays, Progress]:
    """A checkpoint of which no more than the header is read."""
    try:
        arrays = StoredArrays(io.BytesIO(data))
        header = read_header(arrays)
        known = header.pop("format")
    except Exception as error:  # a flipped bit may be anything to zip, NumPy and JSON
        raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error
    if known != _FORMAT:
        raise CheckpointError(f"must have format {_FORMAT}, but got {known}: another version wrote it")
    try:
        progress = Progress(**header)
        if not 0 <= progress.best_epoch <= progress.epoch <= _EPOCHS_MAX:
            raise ValueError(f"epoch {progress.epoch} with the best epoch {progress.best_epoch}")
        progress.best_value = float(progress.best_value)
        if progress.jit_compile not in (None, True, False):
            raise ValueError(f"jit_compile is {progress.jit_compile!r}")
        progress.validated = {str(name): float(value) for name, value in progress.validated.items()}
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error
    return arrays, progress


def _checked(arrays: StoredArrays, prefix: str, expected: list[Any]) -> list[str]:
    """The names of the arrays of these variables, which are of their types and shapes.

    Raises:
        CheckpointError: they are not; none of them was read to find out.
    """
    names = [f"{prefix}_{index}" for index in range(len(expected))]
    found = sum(name.startswith(f"{prefix}_") for name in arrays.headers)
    if found != len(expected):
        raise CheckpointError(f"must hold {len(expected)} variables of this model, but got {found}")
    for name, variable in zip(names, expected, strict=True):
        header = arrays.headers.get(name)
        if header is None:
            raise CheckpointError(f"must hold {name}, but does not")
        if header.shape != tuple(variable.shape):
            raise CheckpointError(
                f"{_name(variable)} must have the shape {tuple(variable.shape)}, but got {header.shape}"
            )
        if header.dtype != _type(variable) and header.dtype.kind != "V":  # as NumPy calls types that are not its own
            raise CheckpointError(f"{_name(variable)} must be of the type {variable.dtype}, but got {header.dtype}")
        if header.nbytes > _nbytes(variable):
            raise CheckpointError(f"{_name(variable)} must have {_nbytes(variable)} bytes, but got {header.nbytes}")
    return names


def _read(arrays: StoredArrays, names: list[str]) -> list[Any]:
    try:
        return [arrays.read(name) for name in names]
    except StoredError as error:
        raise CheckpointError(f"must be a whole checkpoint, but cannot be read: {error}") from error


def _name(variable: Any) -> str:
    """As Keras names it, or TensorFlow one of its own."""
    return str(variable.path if hasattr(variable, "path") else variable.name)


def _nbytes(variable: Any) -> int:
    """Of a variable's values in a checkpoint."""
    return int(math.prod(variable.shape)) * int(_type(variable).itemsize)


def _type(variable: Any) -> np.dtype[Any]:
    """As NumPy has it; the widest that there is of what it does not know."""
    dtype = getattr(variable.dtype, "as_numpy_dtype", variable.dtype)
    try:
        known: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        return np.dtype("complex128")
    return known
