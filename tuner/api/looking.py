"""Looking at sweeps: `tuner.load`, `tuner.sweeps`, `tuner.best_model` and `tuner.compare`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tuner.api.sweep import Sweep, opened
from tuner.base.errors import UsageError
from tuner.storage import StorageRoot

if TYPE_CHECKING:
    import keras

    from trainables.contract import Trainable

Place = str | os.PathLike[str]


def load(name: str, *, trainable: type[Trainable] | None = None, storage: Place | None = None) -> Sweep:
    """A sweep in a storage root, whether or not it is running.

    Args:
        name: the name of the sweep.
        trainable: the class of a sweep that was run with a class of a notebook or of a main file, for its models.
        storage: the storage root; $TUNER_STORAGE or ./sweeps by default.

    Raises:
        UsageError: there is no such sweep, or it has another class.
        StorageError: its journal cannot be read.
    """
    given = None
    if trainable is not None:
        from tuner.api.classes import named

        given = named(trainable)[1]
    return opened(name, place_text(storage), given)


def sweeps(storage: Place | None = None) -> list[dict[str, Any]]:
    """The sweeps in a storage root, as `tuner list --json` prints them."""
    from tuner.review import status

    return [status.summary(folder) for folder in StorageRoot.resolve(place_text(storage)).sweeps()]


def best_model(
    name: str,
    trial: int | None = None,
    *,
    trainable: type[Trainable] | None = None,
    storage: Place | None = None,
    with_changed_code: bool = False,
) -> keras.Model:
    """The model of a sweep's best trial, or of another trial, with the weights of its best epoch; not compiled.

    Args:
        name: the name of the sweep.
        trial: the number of a trial; by default the best trial.
        trainable, storage: as for `load`.
        with_changed_code: build the model with the current code, not with the code that it was trained with.

    Raises:
        UsageError: there is no such sweep, trial or weights, or the code makes no model.
        StorageError: journal, code or weights cannot be read.
    """
    sweep = load(name, trainable=trainable, storage=storage)
    if trial is None:
        return sweep.best_model(with_changed_code=with_changed_code)
    return sweep.model(trial, with_changed_code=with_changed_code)


def compare(*names: str | Sweep, storage: Place | None = None) -> dict[str, Any]:
    """Sweeps with the same objective side by side, as `tuner compare --json` prints them; a notebook shows tables.

    Raises:
        UsageError: fewer than two different sweeps, or their objectives differ.
    """
    from tuner.analysis.comparison import compare as compared
    from tuner.api.comparing import Comparison
    from tuner.review import status

    places = [(one.storage, one.name) if isinstance(one, Sweep) else (place_text(storage), one) for one in names]
    if len(set(places)) < max(2, len(places)):
        raise UsageError("compare: give two or more different sweeps")
    return Comparison(compared([status.open_sweep(StorageRoot.resolve(place), name)[1] for place, name in places]))


def place_text(storage: Place | None) -> str | None:
    """A storage root as text."""
    return None if storage is None else os.fspath(storage)
