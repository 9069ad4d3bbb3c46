"""The best model of a sweep, in Python, for evaluation, export or a service."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainables.framework_imports import import_tensorflow_quietly
from trainables.learned import Learned
from trainables.registry import UnknownTrainableError
from trainables.scripts.archive import ARCHIVE_BYTES_MAX, ArchiveError, unpack
from trainables.sources import ChangedSourceError, Sources, imports_restored
from tuner.base.errors import StorageError, TunerError, UsageError, gist
from tuner.base.secrets import redacted
from tuner.inspection import load_trainable
from tuner.inspection.provenance.learned import read_learned
from tuner.inspection.provenance.reading import data_note, sources_of
from tuner.inspection.work_folder import work_folder_of, working_in
from tuner.review.status import open_sweep
from tuner.spec.space import Space
from tuner.storage import AnyPath, StorageRoot, SweepFolder, exists, read_bytes, write_atomically
from tuner.sweep import Sweep, Trial


def best_model(
    sweep: str, trial: int | None = None, storage: str | None = None, *, with_changed_code: bool = False
) -> Any:
    """A `keras.Model`, not compiled, with the weights of a trial's best epoch.

    It is built with the code that the trial was trained with, from the copy in the sweep's folder. A RuntimeWarning
    says how today's code and data differ from that.

    Args:
        sweep: its name in the storage root.
        trial: its number; by default the best trial, running or ended.
        storage: the storage root; $TUNER_STORAGE or ./sweeps by default, as for every command.
        with_changed_code: build it with today's code instead.

    Raises:
        UsageError: there is no such sweep, trial or weights, or the code builds no model.
        StorageError: the journal, the copied code or the weights cannot be read.
        CheckpointError: the weights are damaged, or the trainable's file builds another model than before.
    """
    return _model(*_opened(sweep, trial, storage), with_changed_code)


def export_model(
    sweep: str,
    file: Path,
    trial: int | None = None,
    storage: str | None = None,
    *,
    with_changed_code: bool = False,
) -> Trial:
    """Saves the result of `best_model` as a `.keras` file, atomically; returns the trial of the model.

    Raises:
        UsageError: as `best_model`; or Keras cannot save the model, usually because a layer has no `get_config`.
        StorageError, CheckpointError: as `best_model`; StorageError also if the file cannot be written.
    """
    folder, folded, chosen = _opened(sweep, trial, storage)
    model = _model(folder, folded, chosen, with_changed_code)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / file.name
        try:
            model.save(made)
        except Exception as error:  # whatever a custom layer raises
            why = " ".join(gist(error).strip().split("\n\n")[0].split()) or type(error).__name__
            hint = "tuner.best_model returns the model in Python"
            raise UsageError(f"the model of sweep {sweep} cannot be saved as a Keras file: {why}; {hint}") from error
        write_atomically(file, made.read_bytes())
    return chosen


def runs_script(sweep: str, storage: str | None = None) -> bool:
    """Whether a sweep's trials are processes of a script.

    Raises:
        UsageError: there is no such sweep.
    """
    return open_sweep(StorageRoot.resolve(storage), sweep)[1].is_script


def export_checkpoint(sweep: str, target: Path, trial: int | None = None, storage: str | None = None) -> Trial:
    """Writes the files of a script's best checkpoint to a new folder; returns its trial.

    Raises:
        UsageError: there is no such sweep, trial or checkpoint.
        StorageError: the checkpoint cannot be read, or the folder cannot be written.
    """
    folder, folded, chosen = _opened(sweep, trial, storage, is_for_script=True)
    path = _weights(folder, folded, chosen)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            found = unpack(read_bytes(path, folder.base, bytes_max=ARCHIVE_BYTES_MAX), Path(scratch) / "files")
            assert found.best is not None
            os.rename(found.best if found.best.is_dir() else found.best.parent, target)
    except FileNotFoundError:
        raise StorageError(f"{path}: the checkpoint of trial {chosen.number} is gone") from None
    except (ArchiveError, OSError) as error:
        raise StorageError(f"{path}: the checkpoint cannot be exported to {target}: {error}") from error
    return chosen


def _opened(
    sweep: str, trial: int | None, storage: str | None, *, is_for_script: bool = False
) -> tuple[SweepFolder, Sweep, Trial]:
    folder, folded = open_sweep(StorageRoot.resolve(storage), sweep)
    if folded.is_script and not is_for_script:
        way = f"`tuner export {sweep}` writes the files of its best checkpoint"
        raise UsageError(f"sweep {sweep} runs a script, of which Tuner builds no model: {way}")
    return folder, folded, _chosen(folded, trial)


def _model(folder: SweepFolder, sweep: Sweep, trial: Trial, with_changed_code: bool) -> Any:
    path = _weights(folder, sweep, trial)
    sources, differs = sources_of(folder, sweep, trial, with_changed_code)
    for text in filter(None, (differs, data_note(sweep))):
        warnings.warn(text, RuntimeWarning, stacklevel=3)

    def read(bytes_max: int) -> bytes:
        try:
            return read_bytes(path, folder.base, bytes_max=bytes_max)
        except FileNotFoundError:
            raise gone from None

    gone = StorageError(f"{path}: the weights of trial {trial.number} are gone")
    if not exists(path, folder.base):  # checked before importing TensorFlow, which takes seconds
        raise gone

    import_tensorflow_quietly()
    with imports_restored(), working_in(work_folder_of(sweep.spec, sweep.work_folder)):
        return _built(sweep, trial, sources, read_learned(folder, sweep.learned_of(trial)), read)


def _built(
    sweep: Sweep, trial: Trial, sources: Sources | None, learned: Learned, weights: Callable[[int], bytes]
) -> Any:
    """The model that this code builds, with these weights."""
    from trainables.training import CheckpointError, restore_model

    try:
        kind: Any = load_trainable(sweep.spec["trainable"], sources)
        trainable, folds = kind(sweep.spec["data"]), sweep.spec.get("folds")
        trainable.fixed_params = Space.model_validate(sweep.spec["space"]).fixed
        return restore_model(trainable, trial.params, weights, sweep.spec["precision"], learned, folds)
    except (CheckpointError, MemoryError, TunerError):
        raise
    except (UnknownTrainableError, ChangedSourceError) as error:
        raise UsageError(str(error.args[0])) from error
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        why = redacted(" ".join(gist(error).split())[:300])
        what = f"the code of sweep {sweep.name} builds no model for trial {trial.number}"
        raise UsageError(f"{what}: it raised {type(error).__name__}{f': {why}' if why else ''}") from error


def _chosen(sweep: Sweep, number: int | None) -> Trial:
    if number is None and sweep.best is None:
        raise UsageError(f"sweep {sweep.name} has no usable trial yet")
    trial = sweep.best if number is None else sweep.trials.get(number)
    if trial is None:
        raise UsageError(f"sweep {sweep.name} has no trial {number}: it has {len(sweep.trials)}, from 0")
    return trial


def _weights(folder: SweepFolder, sweep: Sweep, trial: Trial) -> AnyPath:
    """The newest checkpoint with the trial's best epoch; of ended trials, only the best `checkpoints.keep` have one."""
    for saved in reversed(trial.checkpoints):
        if 0 < saved.best_epoch == trial.best_epoch:
            return folder.named(saved.path)
    kept = ", ".join(str(other.number) for other in sweep.ranked() if other.checkpoints)
    if not kept:
        hint = "; a script gives them with its reports" if sweep.is_script else ""
        raise UsageError(f"sweep {sweep.name} has no checkpoints{hint}")
    raise UsageError(f"sweep {sweep.name} keeps no weights of trial {trial.number}, only of trials {kept}")
