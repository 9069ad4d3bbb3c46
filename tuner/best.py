"""The best model of a sweep, in Python, for what comes after it: evaluation, a file of Keras's, a service."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from trainables.lean import import_quietly
from tuner.errors import StorageError, UsageError, gist
from tuner.inspection import load_trainable
from tuner.paths import AnyPath, StorageRoot, SweepFolder, read_bytes, write_atomically
from tuner.status import open_sweep
from tuner.sweep import Sweep, Trial


def best_model(sweep: str, trial: int | None = None, storage: str | None = None) -> Any:
    """A `keras.Model`, not compiled, with the weights of a trial's best epoch.

    Args:
        sweep: its name in the storage root.
        trial: its number; by default the best trial, running or ended.
        storage: the storage root; $TUNER_STORAGE or ./sweeps by default, as for every command.

    Raises:
        UsageError: there is no such sweep, trial or weights.
        StorageError: the journal or the weights cannot be read.
        CheckpointError: the weights are damaged, or the trainable's file makes another model than it did.
    """
    return _model(*_opened(sweep, trial, storage))


def export_model(sweep: str, file: Path, trial: int | None = None, storage: str | None = None) -> Trial:
    """Writes what `best_model` gives as a `.keras` file, which appears whole or not at all; the trial that it is of.

    Raises:
        UsageError: as `best_model`; Keras cannot write the model, mostly for want of a layer's `get_config`.
        StorageError, CheckpointError: as `best_model`; StorageError, too, if the file cannot be written.
    """
    folder, folded, chosen = _opened(sweep, trial, storage)
    model = _model(folder, folded, chosen)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / file.name
        try:
            model.save(made)
        except Exception as error:  # whatever a layer of the user's own raises
            why = next((line.strip() for line in gist(error).splitlines() if line.strip()), type(error).__name__)
            hint = "tuner.best.best_model gives the model in Python"
            raise UsageError(
                f"the model of sweep {sweep} cannot be written as a file of Keras's: {why}; {hint}"
            ) from error
        write_atomically(file, made.read_bytes())
    return chosen


def _opened(sweep: str, trial: int | None, storage: str | None) -> tuple[SweepFolder, Sweep, Trial]:
    folder, folded = open_sweep(StorageRoot.resolve(storage), sweep)
    return folder, folded, _chosen(folded, trial)


def _model(folder: SweepFolder, sweep: Sweep, trial: Trial) -> Any:
    path = _weights(folder, sweep, trial)
    import_quietly()
    from trainables.training import kept_model

    trainable = load_trainable(sweep.spec["trainable"])(sweep.spec["data"])

    def read(bytes_max: int) -> bytes:
        try:
            return read_bytes(path, bytes_max)
        except FileNotFoundError:
            raise StorageError(f"{path}: the weights of trial {trial.number} are gone") from None

    return kept_model(trainable, trial.params, read, sweep.spec["precision"])


def _chosen(sweep: Sweep, number: int | None) -> Trial:
    if number is None and sweep.best is None:
        raise UsageError(f"sweep {sweep.name} has no usable trial yet")
    trial = sweep.best if number is None else sweep.trials.get(number)
    if trial is None:
        raise UsageError(f"sweep {sweep.name} has no trial {number}: it has {len(sweep.trials)}, from 0")
    return trial


def _weights(folder: SweepFolder, sweep: Sweep, trial: Trial) -> AnyPath:
    """The newest checkpoint that holds the trial's best epoch; of ended trials the best `checkpoints.keep` have one."""
    for saved in reversed(trial.checkpoints):
        if 0 < saved.best_epoch == trial.best_epoch:
            return folder.path / saved.path
    kept = ", ".join(str(other.number) for other in sweep.ranked() if other.checkpoints)
    raise UsageError(f"sweep {sweep.name} keeps no weights of trial {trial.number}, only of trials {kept or '(none)'}")
