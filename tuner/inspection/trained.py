"""A trained model as files: built by the code that it was trained with, in a process of its own.

The process is a fork of one that has imported TensorFlow, where there is one. A driver's has the sweep's data, too.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.contract import Data, Trainable
from trainables.exceptions import message_of
from trainables.given import is_given
from trainables.learned import Learned
from trainables.sources import Sources
from tuner.base.errors import gist
from tuner.base.secrets import redacted
from tuner.inspection.provenance.learned import read_learned
from tuner.inspection.provenance.reading import sources_of
from tuner.inspection.work_folder import find_module, work_folder_of, working_in
from tuner.inspection.workplace import Place, load_instance
from tuner.processes import wire
from tuner.processes.shared import read_shared
from tuner.spec.space import Space
from tuner.storage import SweepFolder, read_bytes
from tuner.sweep import Sweep, Trial

WORK = "tuner.inspection.trained:forked"
"""What the process does."""
THREADS = 2


@dataclass(frozen=True)
class AskedModel:
    """A trial's model, and the folder of this machine into which it is written."""

    sweep: str
    """The URL of the sweep's folder."""
    spec: Mapping[str, Any]
    params: Mapping[str, Any]
    weights: str
    """The checkpoint's name in the sweep's folder."""
    target: str
    work_folder: str = ""
    sources: Sources | None = None
    """The code that the trial was trained with; None if it is as it is, or a class that a program gave."""
    learned: Learned = field(default_factory=Learned)


@dataclass(frozen=True)
class Written:
    """The model is there; `trainables.training.saving` says in which files."""

    has_example: bool
    """Whether all is done; false for a first word, before the data are looked at."""


@dataclass(frozen=True)
class NotWritten:
    """Why there is no model, in one line."""

    reason: str


def asked_model(folder: SweepFolder, sweep: Sweep, trial: Trial, weights: str, target: Path) -> AskedModel:
    """What a process is asked for a trial's model.

    Raises:
        TunerError: the code that it was trained with cannot be had.
    """
    trainable = str(sweep.spec["trainable"])
    sources = None if is_given(trainable) else sources_of(folder, sweep, trial, False)[0]
    learned = read_learned(folder, sweep.learned_of(trial))
    works_in = work_folder_of(sweep.spec, sweep.work_folder)
    return AskedModel(folder.url, sweep.spec, trial.params, weights, str(target), works_in, sources, learned)


def forked(connection: socket.socket, kept: dict[str, int]) -> None:
    """Writes the model that it is asked for. Answers `Written` twice, without and with an example, or `NotWritten`.

    Args:
        kept: the file with the settings and the data of a driver's sweep, if there is one.
    """
    from trainables.process import set_up_process

    asked: AskedModel = wire.receive(connection)[0]
    set_up_process(THREADS)
    with working_in(asked.work_folder):
        try:
            _write(asked, kept, lambda: wire.send(connection, Written(has_example=False)))
        except (Exception, SystemExit) as error:  # whatever the user's code raises
            wire.send(connection, NotWritten(_said(error)))
            return
        wire.send(connection, Written(has_example=True))


def _write(asked: AskedModel, kept: dict[str, int], tell_saved: Callable[[], None]) -> None:
    from trainables.training import restore_model
    from trainables.training.example import save_example
    from trainables.training.saving import save_model

    trainable, data = _trainable(asked, kept)
    if data is not None:
        trainable.load_data = lambda: data  # type: ignore[method-assign]
    folder = SweepFolder.at(asked.sweep)
    weights = folder.named(asked.weights)
    model = restore_model(
        trainable,
        dict(asked.params),
        lambda bytes_max: read_bytes(weights, folder.base, bytes_max=bytes_max),
        asked.spec["precision"],
        asked.learned,
        asked.spec.get("folds"),
    )
    save_model(model, type(trainable).__module__, Path(asked.target))
    tell_saved()
    save_example(model, trainable, trainable.load_data, dict(asked.params), Path(asked.target))


def _trainable(asked: AskedModel, kept: dict[str, int]) -> tuple[Trainable, Data | None]:
    """A new instance, and the data where a driver has handed them over."""
    given, data, import_folder = None, None, None
    if kept:
        [file] = kept.values()
        settings, data = read_shared(file)
        os.close(file)
        given, import_folder = settings.given, settings.import_folder
        for variable, value in settings.environment.items():
            os.environ.setdefault(variable, value)
    find_module(asked.spec, asked.work_folder)
    fixed = Space.model_validate(asked.spec["space"]).fixed
    name, own = str(asked.spec["trainable"]), asked.spec["data"]
    place = Place(name, own, asked.sources, given, import_folder, asked.learned, fixed)
    return load_instance(place), data


def _said(error: BaseException) -> str:
    text = " ".join((gist(error) if isinstance(error, Exception) else message_of(error)).split())
    kind = type(error).__name__
    return redacted((text if kind in ("NotSavedError", "CheckpointError") else f"{kind}: {text}")[:300])
