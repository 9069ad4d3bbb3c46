"""A sweep as an object: what it found, and what can be done with it, while it runs and afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.base.errors import UsageError
from tuner.base.outcomes import SweepState
from tuner.base.words import Scalar
from tuner.review import status
from tuner.storage import AnyPath, StorageRoot, SweepFolder
from tuner.storage.journal import History
from tuner.sweep import Sweep as Folded

if TYPE_CHECKING:
    import keras
    from pandas import DataFrame

    from trainables.given import Given
    from tuner.spec import SweepSpec

_classes: dict[str, Given] = {}
"""By its sweep's id a class that this process trained or was given."""


@dataclass(frozen=True)
class Best:
    """The best trial of a sweep so far, at its best epoch."""

    trial: int
    params: dict[str, Scalar]
    value: float
    epoch: int
    test: dict[str, float | None]
    """Test metrics of the weights, where they were measured."""
    run_id: str | None
    """The trial's run in MLflow; None until it is recorded."""


class Sweep:
    """One sweep in a storage root.

    Each property and method reads the journal as it is now, so an object follows a sweep that another process runs.
    Made by `tuner.run`, `tuner.load` and `tuner.resume`.
    """

    def __init__(
        self,
        folder: SweepFolder,
        given: Given | None = None,
        address: str | None = None,
        known: History | None = None,
    ) -> None:
        """Reads the journal from where `known` ends, or from its beginning."""
        self._folder, self._address = folder, address
        self._lock = threading.Lock()
        known = History(folder) if known is None else known
        self._reader, self._folded = known.reader, known.sweep
        self._read()
        if given is not None:
            _classes[self._folded.sweep_id] = given

    def _read(self) -> Folded:
        """The sweep as its journal has it now."""
        with self._lock:
            for event in self._reader.read():
                self._folded.apply(event)
            return self._folded

    @property
    def _given(self) -> Given | None:
        return _classes.get(self._folded.sweep_id)

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self._folder.name

    @property
    def path(self) -> AnyPath:
        """The sweep's folder."""
        return self._folder.path

    @property
    def storage(self) -> str:
        """The storage root that it lies in, as `tuner.load` takes it."""
        return self._folder.root.url

    @property
    def state(self) -> SweepState:
        """running, interrupted, paused, finished or stopped."""
        return status.state(self._folder, self._read())

    @property
    def spec(self) -> SweepSpec:
        """The spec, with all that was changed by resumes."""
        from tuner.spec import spec_from_mapping

        return spec_from_mapping(self._read().spec)

    @property
    def metric(self) -> str:
        """The metric of the objective."""
        return self._read().metric

    @property
    def copied_from(self) -> dict[str, Any] | None:
        """Of a copy, the sweep that it was made from and how many of its events it has; else None."""
        return self._read().copied_from

    @property
    def best(self) -> Best | None:
        """The best trial so far; None before there is one."""
        trial = self._read().best
        if trial is None:
            return None
        run_id = self._run_ids().get(trial.number)
        return Best(
            trial.number, dict(trial.params), trial.best_value, trial.best_epoch, dict(trial.test_metrics), run_id
        )

    def trials(self) -> DataFrame:
        """A table with a row a trial, by number.

        Columns: number, each parameter, outcome, best (of the objective), best_epoch, last, epochs, attempts, seconds
        (of training), reason, run_id (in MLflow).
        """
        from tuner.api.frames import trials_frame

        return trials_frame(self._read(), self._run_ids())

    def trials_data(self) -> list[dict[str, Any]]:
        """The trials by number, as `tuner trials --json` prints them."""
        return status.trials(self._folder, self._read())

    def curves(self) -> DataFrame:
        """A table with a row an epoch of a trial: number, epoch, each metric, attempt, seconds, decision, reason."""
        from tuner.api.frames import curves_frame

        return curves_frame(self._read())

    def best_model(self, *, with_changed_code: bool = False) -> keras.Model:
        """The best trial's model, not compiled, with the weights of its best epoch.

        Args:
            with_changed_code: build it by today's code, not by that which it was trained with.

        Raises:
            UsageError: there is no usable trial, or the code makes no model.
            StorageError: weights or code cannot be read.
        """
        return self._model(None, with_changed_code)

    def model(self, trial: int, *, with_changed_code: bool = False) -> keras.Model:
        """The model of another trial, of those whose weights are kept; else as `best_model`."""
        return self._model(trial, with_changed_code)

    def _model(self, trial: int | None, with_changed_code: bool) -> keras.Model:
        from tuner.api.models import model

        with self._giving():
            return model(self._folder, trial, with_changed_code)

    def export(
        self, output: str | os.PathLike[str] | None = None, *, trial: int | None = None, with_changed_code: bool = False
    ) -> dict[str, Any]:
        """Writes a model as a file of Keras's, SWEEP.keras in the working directory by default.

        Returns:
            What `tuner export --json` prints: sweep, trial, epoch, value, params, file.

        Raises:
            UsageError, StorageError: as `best_model`, and where the file cannot be written.
        """
        from tuner.api.models import export, export_data

        with self._giving():
            path = None if output is None else os.fspath(output)
            found, file = export(self._folder, path, trial, with_changed_code)
        return export_data(self.name, found, file)

    def report(self, output: str | os.PathLike[str] | None = None) -> AnyPath:
        """Writes the report, a page of HTML, and gives its path: report.html in the sweep's folder by default."""
        from tuner.api.models import chosen_file
        from tuner.api.reports import write_report

        target = None if output is None else chosen_file(os.fspath(output))
        return write_report(self._folder, self._read(), target)

    def show(self) -> dict[str, Any]:
        """How the sweep stands, as `tuner show --json` prints it."""
        return status.show(self._folder, self._read())

    def explain(self, trial: int) -> dict[str, Any]:
        """Why a trial was suggested, and why it was stopped or went on, as `tuner explain --json` prints it."""
        from tuner.api.data import explanation_data, trial_number
        from tuner.review.explain import explain
        from tuner.storage.journal import read_events

        sweep = self._read()
        return explanation_data(sweep, explain(read_events(self._folder), trial_number(sweep, trial)))

    def verify(self) -> dict[str, Any]:
        """Whether journal, MLflow runs and checkpoints agree, as `tuner verify --json` prints it; see its `ok`."""
        from tuner.api.data import verification_data
        from tuner.review.verification import verify_sweep

        with self._giving():
            return verification_data(self.name, verify_sweep(self._folder))

    def stop(self) -> None:
        """Stops the sweep after the running epochs and waits for that; it can be resumed.

        Raises:
            UsageError: nobody is at work on it, or out of reach from here.
        """
        from tuner.api.stopping import stop

        stop(self._folder, self._read())

    def resume(self, *, trainable: Any = None, address: str | None = None, **changes: Any) -> Sweep:
        """Goes on with the sweep, here, to its end; arguments as of `tuner.resume`. Its class is known here."""
        from tuner.api.functions import resume

        known = self._given
        trainable = trainable if trainable is not None or known is None else known.trainable
        address = address if address is not None else self._address
        return resume(self.name, trainable=trainable, storage=self.storage, address=address, **changes)

    def _giving(self) -> AbstractContextManager[None]:
        """Makes the class that this process has of the sweep known to whatever loads it."""
        from trainables.given import giving

        return giving(self._given)

    def _run_ids(self) -> Mapping[int, str]:
        from tuner.recording import read_cursor

        return read_cursor(self._folder).trials

    def __repr__(self) -> str:
        return (
            f"<tuner.Sweep {self.name}: {self.state}, {len(self._folded.trials)} of {self._folded.num_trials} trials>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from tuner.api.page import sweep_page

        return sweep_page(self._read(), self.state)


def opened(name: str, storage: str | None, given: Given | None = None) -> Sweep:
    """A sweep of a storage root by its name.

    Raises:
        UsageError: there is none; the message has the nearest name.
        StorageError: its journal cannot be read.
    """
    if not isinstance(name, str):
        raise UsageError(f"sweep: must be a name, but got {name!r}")
    known = status.open_history(StorageRoot.resolve(storage), name)
    if given is not None and (wanted := str(known.sweep.spec["trainable"])) != given.name:
        raise UsageError(f"trainable: sweep {name} has {wanted}, but got {given.name}")
    return Sweep(known.folder, given, known=known)
