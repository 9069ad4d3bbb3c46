"""Whatever users' code puts into a report, an event is small, and what was left out is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import make_spec, new_sweep
from tuner.base.errors import bounded_text, gist
from tuner.engine.bounds import METRICS_MAX, NAME_CHARS_MAX, bounded
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import Failure, Report, SavedCheckpoint, TrainedEpoch
from tuner.storage.journal import read_events
from tuner.sweep import events as ev

MANY = {f"metric_{number}": 0.5 for number in range(50_000)}
OWN = {"loss": 0.1, "val_loss": 0.2, "epoch_s": 0.01}


def report(*epochs: dict[str, Any], **changes: Any) -> Report:
    trained = tuple(TrainedEpoch(number, metrics, 0.01) for number, metrics in enumerate(epochs, 1))
    return Report(0, 1, "here", 1, (), 0, trained, **changes)


@pytest.mark.parametrize("metrics", [{**OWN, **MANY, "val_accuracy": 0.7}, {"val_accuracy": 0.7, **MANY, **OWN}])
def test_of_too_many_metrics_those_that_count_stay(metrics: dict[str, float]) -> None:
    cut, told = bounded(report(metrics), "val_accuracy")
    kept = cut.epochs[0].metrics
    assert len(kept) == METRICS_MAX and {**OWN, "val_accuracy": 0.7}.items() <= kept.items()
    assert list(kept) == [name for name in metrics if name in kept]
    assert told.startswith(f"epoch 1 reports {len(metrics)} metrics, of which {METRICS_MAX} are recorded")


def test_names_without_end_are_left_out_and_what_fits_is_as_it_was() -> None:
    long = "n" * (NAME_CHARS_MAX + 1)
    cut, told = bounded(report({**OWN, "val_accuracy": 0.5}, {**OWN, "val_accuracy": 0.5, long: 1.0}), "val_accuracy")
    assert cut.epochs[1].metrics == {**OWN, "val_accuracy": 0.5} and told.startswith("epoch 2 reports 5 metrics")
    fits = report({**OWN, "val_accuracy": 0.5})
    assert bounded(fits, "val_accuracy") == (fits, "")


def test_test_metrics_reasons_and_notes_have_bounds() -> None:
    saved = SavedCheckpoint(0, 1, "p", 1, "best", dict(MANY))
    failure = Failure("error", "m" * 10**6, "t" * 10**8)
    cut, told = bounded(report({}, checkpoints=(saved,), failure=failure, notes=("n" * 10**6,) * 999), "val_accuracy")
    assert len(cut.checkpoints[0].test) == METRICS_MAX and "epoch 1 reports 50000 metrics" in told
    assert cut.failure is not None and len(cut.failure.message) < 3000 and len(cut.failure.traceback) < 70_000
    assert len(cut.notes) == 100 and all(len(note) < 3000 for note in cut.notes)


def test_the_journal_is_small_and_people_are_told_once(tmp_path: Path) -> None:
    journal, told = new_sweep(tmp_path, make_spec()), list[str]()
    coordinator = Coordinator(make_spec(), journal, lambda line: None, told.append)
    coordinator.set_slots(1)
    assert coordinator.next_trial() is not None
    metrics = {**OWN, "val_accuracy": 0.5, **MANY}
    assert coordinator.report(report(metrics))
    coordinator.report(report(metrics, metrics, failure=Failure("error", "x" * 10**6, "y" * 10**6)))
    coordinator.lost(0, "worker", "z" * 10**6, "d" * 10**7)
    journal.close()
    assert len(told) == 1 and "trial 0: epoch 1 reports 50004 metrics" in told[0]
    assert max(len(ev.encode(event)) for event in read_events(journal.folder)) < 100_000


def test_what_an_exception_says_has_bounds() -> None:
    error = ValueError("begin " + "x" * 10**7 + " end")
    said = gist(error)
    assert len(said) < 5 * 2**20 and said.startswith("begin") and said.endswith("end") and "characters …]" in said
    assert bounded_text("short") == "short"
