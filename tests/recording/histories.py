"""A driver that only pretends to train: it appends a sweep's events to a real journal while the recorder follows it;
and what MLflow must hold of them in the end, worked out from the events alone."""

from __future__ import annotations

import contextlib
import math
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers import wait_until
from tests.simulation import make_spec, new_sweep
from tuner.base.words import Params
from tuner.recording import read_cursor, record
from tuner.recording.plan import STATUS_BY_OUTCOME
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Database

Row = tuple[str, str, int, int, float | None]
"""Run, metric, step, time in ms, value (None for NaN)."""
VARIED_TRIALS = 8
"""In so many trials everything has happened that can."""
LATER = 5
"""So many times slower more of them follow: a test that takes long should not have ever more to record and to check."""


class PretendDriver:
    """Appends one batch of events after another from a thread, until `finish`, which ends the sweep."""

    def __init__(self, root: Path, name: str, uri: str | None, period_s: float = 0.1, num_trials: int = 10_000) -> None:
        spec = make_spec(
            name=name, num_trials=num_trials, tracking__uri=uri, tracking__experiment=name, tracking__log_models="none"
        )
        self.journal = new_sweep(root, spec)
        self.folder = self.journal.folder
        self.events: list[ev.AnyEvent] = list(self.journal.events)
        self._period_s = period_s
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._drive, daemon=True)

    def __enter__(self) -> PretendDriver:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Ends the sweep; does nothing a second time."""
        self._is_over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if not isinstance(self.events[-1], ev.SweepEnded):
            self._append(ev.SweepEnded(reason="no improvement for 9 trials", state="stopped"))
            self.journal.close()

    def write(self, num_trials: int) -> None:
        """Appends so many trials at once, without a thread."""
        self._append(*(event for trial in range(num_trials) for batch in trial_batches(trial) for event in batch))

    def _append(self, *events: ev.AnyEvent) -> None:
        self.events += self.journal.append(*events)

    def _drive(self) -> None:
        trial = 0
        while not self._is_over.is_set():
            for batch in trial_batches(trial):
                self._append(*batch)
                time.sleep(self._period_s * (LATER if trial >= VARIED_TRIALS else 1))
            trial += 1


def trial_batches(trial: int) -> Iterator[list[ev.AnyEvent]]:
    """One trial after another, with all that can happen to one."""
    params: Params = {
        "learning_rate": 10 ** -(1 + trial % 4),
        "batch_size": 32,
        "schedule": "constant",
        "epochs": 27,
    }
    yield [ev.TrialSuggested(trial=trial, params=params, origin="tpe")]
    yield [ev.TrialStarted(trial=trial, attempt=1, node="here", pid=1, gpus=[])]
    if trial % 5 == 3:
        yield [ev.AttemptFailed(trial=trial, attempt=1, cause="node", reason="its machine went away", counts=False)]
        yield [ev.TrialStarted(trial=trial, attempt=2, node="there", pid=1, gpus=[])]
    num_epochs = 1 + trial * 7 % 6
    for epoch in range(1, num_epochs + 1):
        value = None if trial % 7 == 6 and epoch == num_epochs else 0.25 + (trial * 7 % 40 + epoch) / 100
        yield [_epoch(trial, epoch, value)]
    if value is not None:
        test: ev.Metrics = {"test_accuracy": 0.5 + trial % 8 / 16}
        yield [ev.CheckpointSaved(trial=trial, epoch=num_epochs, path="p", best_epoch=num_epochs, test=test)]
    outcome = "diverged" if value is None else ("completed", "stopped", "plateaued", "cancelled")[trial % 4]
    yield [ev.TrialEnded(trial=trial, outcome=outcome, reason="why")]
    if value is not None:
        yield [ev.CheckpointSaved(trial=trial, epoch=0, path="q", best_epoch=num_epochs, test=test, kind="best")]
        yield [ev.CheckpointsDeleted(trial=trial, keeps_best=True)]
    if trial % 8 == 7:
        yield [ev.SweepInterruptedEvent(reason="Ctrl-C"), ev.SweepResumed(changes={})]


def _epoch(trial: int, epoch: int, value: float | None) -> ev.EpochReported:
    metrics: ev.Metrics = {"loss": value, "val_accuracy": value, "epoch_s": 0.5}
    return ev.EpochReported(
        trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=0.5, decision="continue", reason=""
    )


def expected_statuses(events: Sequence[ev.AnyEvent]) -> dict[str, str]:
    """The status of each run at the sweep's end, by its name."""
    started = events[0]
    assert isinstance(started, ev.SweepStarted)
    statuses = {f"trial {event.trial}": "KILLED" for event in events if isinstance(event, ev.TrialSuggested)}
    for event in events:
        if isinstance(event, ev.TrialEnded):
            statuses[f"trial {event.trial}"] = STATUS_BY_OUTCOME[event.outcome]
    return statuses | {str(started.spec["name"]): "FINISHED"}


def expected_rows(events: Sequence[ev.AnyEvent]) -> list[Row]:
    """Every row of every trial's metrics."""
    rows: list[Row] = []
    epochs: dict[int, list[ev.EpochReported]] = {}
    tests: dict[int, ev.Metrics] = {}
    for event in events:
        at_ms = int(event.at * 1000)
        if isinstance(event, ev.EpochReported):
            epochs.setdefault(event.trial, []).append(event)
            rows += [(f"trial {event.trial}", name, event.epoch, at_ms, value) for name, value in event.metrics.items()]
        if isinstance(event, ev.CheckpointSaved):
            tests[event.trial] = event.test
        if isinstance(event, ev.TrialEnded):
            figures = _figures(epochs[event.trial]) | tests.get(event.trial, {})
            rows += [(f"trial {event.trial}", name, 0, at_ms, value) for name, value in figures.items()]
    return sorted(rows, key=repr)


def _figures(epochs: list[ev.EpochReported]) -> ev.Metrics:
    values = [ev.metric_value(epoch.metrics["val_accuracy"]) for epoch in epochs]
    figures: ev.Metrics = {"epochs_trained": float(len(epochs)), "training_s": 0.5 * len(epochs)}
    finite = [(value, epoch.epoch) for value, epoch in zip(values, epochs, strict=True) if math.isfinite(value)]
    if finite:
        value, epoch = max(finite)
        figures |= {"best_val_accuracy": value, "best_epoch": float(epoch)}
    return figures


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Variables for processes that start in the block."""
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


class Checker:
    """Holds what a store has of a sweep against its journal, and against what an undisturbed recorder makes of it."""

    def __init__(self, database_type: type[Database], empty_database: Path, folder: Path) -> None:
        self._type, self._empty, self._folder = database_type, empty_database, folder

    def check(self, driver: PretendDriver, uri: str) -> None:
        found = self._type(uri, driver.folder.name)
        assert {name: status for name, (status, _, _) in found.runs().items()} == expected_statuses(driver.events)
        everything = found.everything()
        of_trials = [row for row in everything["metrics"] if row[0].startswith("trial ")]
        assert of_trials == expected_rows(driver.events)
        reference = self._folder / "reference.db"
        shutil.copy(self._empty, reference)
        driver.folder.cursor.unlink()
        record(driver.folder, f"sqlite:///{reference}")
        assert everything == self._type(reference).everything()


def is_recorded(driver: PretendDriver, since: int) -> bool:
    """Whether all that the journal held at a time is in MLflow."""
    return read_cursor(driver.folder).seq >= since


def wait_until_recorded(driver: PretendDriver) -> None:
    since = len(driver.events)
    wait_until(lambda: is_recorded(driver, since))
