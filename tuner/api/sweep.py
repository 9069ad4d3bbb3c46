"""A sweep as an object: its results, and what can be done with it, while it runs and afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.base.errors import UsageError
from tuner.base.outcomes import SweepState
from tuner.base.words import Params
from tuner.review import status
from tuner.storage import AnyPath, StorageRoot, SweepFolder
from tuner.storage.journal import History
from tuner.sweep import Sweep as Folded

if TYPE_CHECKING:
    import keras
    from pandas import DataFrame

    from trainables.given import Given
    from tuner.analysis.advice import Advice
    from tuner.analysis.importance_values import Importance, Unknown
    from tuner.api.plots import Plots
    from tuner.spec import SweepSpec

_classes: dict[str, Given] = {}
"""Classes that were passed to sweeps in this process, by the id of the sweep."""


@dataclass(frozen=True)
class Best:
    """The best trial of a sweep so far, at its best epoch."""

    trial: int
    params: Params
    value: float
    epoch: int
    test: dict[str, float | None]
    """Test metrics of the weights, if they were measured."""
    run_id: str | None
    """The MLflow run of the trial; None until it is recorded."""


class Sweep:
    """One sweep in a storage root.

    Each property and method reads the current journal, so an object also follows a sweep that runs in another process.
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
        """The sweep as of its current journal."""
        with self._lock:
            for event in self._reader.read():
                self._folded.apply(event)
            return self._folded

    @property
    def _given(self) -> Given | None:
        return _classes.get(self._folded.sweep_id)

    @property
    def name(self) -> str:
        """The name of the sweep."""
        return self._folder.name

    @property
    def path(self) -> AnyPath:
        """The folder of the sweep."""
        return self._folder.path

    @property
    def storage(self) -> str:
        """The storage root of the sweep, as `tuner.load` takes it."""
        return self._folder.root.url

    @property
    def state(self) -> SweepState:
        """running, interrupted, paused, finished or stopped."""
        return status.state(self._folder, self._read())

    @property
    def spec(self) -> SweepSpec:
        """The spec, with the changes of all resumes."""
        from tuner.spec import spec_from_mapping

        return spec_from_mapping(self._read().spec)

    @property
    def metric(self) -> str:
        """The metric of the objective."""
        return self._read().metric

    @property
    def copied_from(self) -> dict[str, Any] | None:
        """The sweep that this one is a copy of, and the number of events that they share; None if it is not a copy."""
        return self._read().copied_from or None

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

    @property
    def plot(self) -> Plots:
        """Its figures as Altair charts: `sweep.plot.importance()`, `sweep.plot.curves()`, …"""
        from tuner.api.plots import Plots

        return Plots(self._read)

    def trials(self) -> DataFrame:
        """A table with one row per trial, by number.

        Columns: number, each parameter, outcome, best (of the objective), best_epoch, last, epochs, attempts, seconds
        (of training), reason, run_id (in MLflow).
        """
        from tuner.api.frames import trials_frame

        return trials_frame(self._read(), self._run_ids())

    def trials_data(self) -> list[dict[str, Any]]:
        """The trials by number, as `tuner trials --json` prints them."""
        return status.trials(self._folder, self._read())

    def curves(self) -> DataFrame:
        """A table with one row per epoch: number, epoch, each metric, attempt, seconds, decision, reason."""
        from tuner.api.frames import curves_frame

        return curves_frame(self._read())

    def best_model(self, *, with_changed_code: bool = False) -> keras.Model:
        """The best trial's model, not compiled, with the weights of its best epoch.

        Args:
            with_changed_code: build the model with the current code, not with the code that it was trained with.

        Raises:
            UsageError: there is no usable trial, or the code makes no model.
            StorageError: weights or code cannot be read.
        """
        return self._model(None, with_changed_code)

    def model(self, trial: int, *, with_changed_code: bool = False) -> keras.Model:
        """The model of any trial whose weights are stored; otherwise as `best_model`."""
        return self._model(trial, with_changed_code)

    def _model(self, trial: int | None, with_changed_code: bool) -> keras.Model:
        from tuner.api.models import model

        with self._giving():
            return model(self._folder, trial, with_changed_code)

    def export(
        self, output: str | os.PathLike[str] | None = None, *, trial: int | None = None, with_changed_code: bool = False
    ) -> dict[str, Any]:
        """Writes a model as a .keras file, by default SWEEP.keras in the working directory.

        Returns:
            What `tuner export --json` prints: sweep, trial, epoch, value, params, file.

        Raises:
            UsageError, StorageError: as `best_model`, or the file cannot be written.
        """
        from tuner.api.models import export, export_data

        with self._giving():
            path = None if output is None else os.fspath(output)
            found, file = export(self._folder, path, trial, with_changed_code)
        return export_data(self.name, found, file)

    def report(self, output: str | os.PathLike[str] | None = None, *, format: str | None = None) -> AnyPath:
        """Writes a report; its path.

        Args:
            output: the file; by default report.html in the folder of the sweep, or SWEEP.md, SWEEP.png or SWEEP.json
                in the working directory.
            format: html (a page), md (Markdown, with figures beside it), png (the main figures) or json (numbers); by
                default what the file's suffix says.

        Raises:
            UsageError: there is no such format or folder, or there is nothing to draw yet.
        """
        from tuner.api.formats import chosen_format
        from tuner.api.models import chosen_file
        from tuner.api.reports import write_report

        target = None if output is None else chosen_file(os.fspath(output))
        form = chosen_format(format, None if output is None else os.fspath(output))
        return write_report(self._folder, self._read(), target, form)

    def report_text(self, format: str = "md") -> str:
        """The report as text: html, md (without figures) or json."""
        from tuner.api.formats import chosen_format
        from tuner.api.reports import report_text

        return report_text(self._folder, self._read(), chosen_format(format, None))

    def show(self) -> dict[str, Any]:
        """The state of the sweep, as `tuner show --json` prints it."""
        return status.show(self._folder, self._read())

    def advise(self) -> list[Advice]:
        """What to do next, the most useful first; each has a `rule`, a `text`, a `command` and what it has to `set`."""
        from tuner.review.advising import advised

        return advised(self._folder, self._read())

    def _glance(self) -> tuple[dict[str, Any], Importance | Unknown | None]:
        """What `show` says that costs little, and what is known of importance."""
        sweep = self._read()
        return status.glance(self._folder, sweep), status.known_importance(sweep)

    def explain(self, trial: int) -> dict[str, Any]:
        """Why a trial was suggested, stopped or continued, as `tuner explain --json` prints it."""
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
        """Stops the sweep after the running epochs and waits for its end; it can be resumed.

        Raises:
            UsageError: no driver runs it, or the driver cannot be reached from this machine.
        """
        from tuner.api.stopping import stop

        stop(self._folder, self._read())

    def resume(self, *, trainable: Any = None, address: str | None = None, **changes: Any) -> Sweep:
        """Continues the sweep in this process to its end; arguments as for `tuner.resume`."""
        from tuner.api.functions import resume

        known = self._given
        trainable = trainable if trainable is not None or known is None else known.trainable
        address = address if address is not None else self._address
        return resume(self.name, trainable=trainable, storage=self.storage, address=address, **changes)

    def _giving(self) -> AbstractContextManager[None]:
        """Makes the class that was passed to the sweep known to what loads its trainable."""
        from trainables.given import giving

        return giving(self._given)

    def _run_ids(self) -> Mapping[int, str]:
        from tuner.recording import read_cursor

        return read_cursor(self._folder).trials

    def __repr__(self) -> str:
        return (
            f"<tuner.Sweep {self.name}: {self.state}, {self._folded.num_counted} of {self._folded.num_trials} trials>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows of the sweep."""
        from tuner.api.page import sweep_page

        return sweep_page(self._read(), self.state, self._folder)


def opened(name: str, storage: str | None, given: Given | None = None) -> Sweep:
    """A sweep in a storage root by its name.

    Raises:
        UsageError: there is no such sweep; the message has the nearest name.
        StorageError: its journal cannot be read.
    """
    if not isinstance(name, str):
        raise UsageError(f"sweep: must be a name, but got {name!r}")
    known = status.open_history(StorageRoot.resolve(storage), name)
    if given is not None and (wanted := str(known.sweep.spec["trainable"])) != given.name:
        raise UsageError(f"trainable: sweep {name} has {wanted}, but got {given.name}")
    return Sweep(known.folder, given, known=known)
