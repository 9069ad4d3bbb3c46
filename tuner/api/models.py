"""The trained models of a sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tuner.base.errors import StorageError, UsageError
from tuner.base.hints import option
from tuner.storage import SweepFolder
from tuner.sweep import Trial


def model(folder: SweepFolder, trial: int | None, with_changed_code: bool) -> Any:
    """A `keras.Model` with the best weights of a trial, by default of the best trial; raises as `best_model`."""
    from tuner.review.best import best_model

    with _weights_errors(folder.name, with_changed_code):
        return best_model(folder.name, trial, folder.root.url, with_changed_code=with_changed_code)


def export(folder: SweepFolder, output: str | None, trial: int | None, with_changed_code: bool) -> tuple[Trial, Path]:
    """Writes the model of a trial as a .keras file, or a script's checkpoint to a folder; the trial, and the file.

    Args:
        output: the file; SWEEP.keras in the working directory by default, SWEEP-checkpoint for a script.

    Raises:
        UsageError: the file does not end in .keras, or exists.
        StorageError: weights or code cannot be read, or the file cannot be written.
    """
    from tuner.review.best import export_checkpoint, export_model, runs_script

    if runs_script(folder.name, folder.root.url):
        place = Path(output or f"{folder.name}-checkpoint")
        if os.path.lexists(place):
            raise UsageError(f"{place}: is there already; name another folder with {option('output')}")
        return export_checkpoint(folder.name, place, trial, folder.root.url), place
    target = chosen_file(output or f"{folder.name}.keras")
    if target.suffix != ".keras":
        raise UsageError(f"{option('output')}: must end in .keras, Keras's own format, but got {output!r}")
    if os.path.exists(target):
        raise UsageError(f"{target}: there is a file already; remove it, or name another with {option('output')}")
    with _weights_errors(folder.name, with_changed_code):
        found = export_model(folder.name, target, trial, folder.root.url, with_changed_code=with_changed_code)
    return found, target


def export_data(sweep: str, trial: Trial, file: Path) -> dict[str, Any]:
    """What `tuner export --json` prints."""
    return {
        "sweep": sweep,
        "trial": trial.number,
        "epoch": trial.best_epoch,
        "value": trial.best_value,
        "params": trial.params,
        "file": str(file),
    }


def chosen_file(output: str) -> Path:
    """The file to write, with links resolved.

    Raises:
        UsageError: it is a folder, or its folder does not exist.
    """
    path = os.path.expanduser(output)
    if os.path.isdir(path) or not os.path.basename(output):
        raise UsageError(f"{option('output')}: must be a file, but {output} is a folder")
    if not os.path.isdir(folder := os.path.dirname(path) or "."):
        raise UsageError(f"{option('output')}: must be in a folder that there is, but {folder} is none")
    return Path(os.path.realpath(path) if os.path.islink(path) else path)


@contextmanager
def _weights_errors(sweep: str, with_changed_code: bool) -> Iterator[None]:
    """Weights that do not fit the model are an error of the storage, or of the code that was chosen for them."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ != "CheckpointError":  # whose module imports Keras
            raise
        hint = f"; without {option('with_changed_code', True)} it is built by the code that it was trained with"
        hint = hint if with_changed_code else ""
        raise StorageError(f"sweep {sweep}: its weights cannot be used: {error}{hint}") from error
