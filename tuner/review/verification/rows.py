"""Compares the metric rows in MLflow, of the sweep and of each trial, with those that must be there.

A row is compared by key, value, step and time; NaN equals NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from tuner.recording.names import Names, best_objective_key, earlier_key
from tuner.recording.origin import speed
from tuner.recording.reading import RecordedRun
from tuner.recording.system import system_rows
from tuner.review.verification.result import Findings, Kind
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

_Row = tuple[str, int, int, str]
"""key, step, time in ms, value as text."""


class RowChecker:
    """Checks the rows of one sweep's runs, one run after another."""

    def __init__(self, sweep: Sweep, events: Sequence[ev.AnyEvent], names: Names, found: Findings) -> None:
        self._sweep, self._names, self._found = sweep, names, found
        self._test = _TestMetrics(events, names)
        self._of_parent = parent_rows(events)
        self._system = _system_rows(events)

    def check_parent(self, run: RecordedRun) -> None:
        """Checks the parent's rows. A step may have two values: the best trial may diverge and be replaced."""
        self._check("the sweep", None, _counted(run), self._of_parent)

    def check_trial(self, trial: Trial, run: RecordedRun) -> None:
        name, rows = f"trial {trial.number}", _counted(run)
        expected = trial_rows(self._sweep, self._names, trial, self._test.ended_ms(trial))
        self._check(name, trial.number, rows, expected | self._system.get(trial.number, {}))
        self._check_newest_test(name, rows, trial)

    def _check(self, name: str, trial: int | None, rows: Counter[_Row], expected: dict[_Row, str]) -> None:
        """Checks that every row exists once, and no others. Test metrics may be recorded at any time once known."""
        test = self._test.names_by_row(trial)
        keys = {row[0] for row in expected} | {key for key, _ in test}
        earlier = self._check_earlier(name, rows, expected, keys)
        test_before = {(earlier_key(told), text) for (_, text), told in test.items()}
        rest = Counter({row: times for row, times in rows.items() if row not in earlier})
        for row in sorted(expected.keys() - rows.keys()):
            if _before(row, expected[row]) not in earlier:
                self._tell(f"{name}: row {_say(row)} is missing", "lost")
        for row, times in rest.items():
            if times > 1:
                self._tell(f"{name}: row {_say(row)} is there {times} times", "duplicated")
            if row[0] in keys and row not in expected and (row[0], row[3]) not in test:
                self._tell(f"{name}: row {_say(row)} is not in the journal", "duplicated")
        for key in sorted({key for key, _, _, text in rest if (key, text) not in test_before} - keys):
            self._tell(f"{name}: key {key!r} stands for nothing in the journal", "duplicated")
        if trial is not None:
            self._check_single(name, rest)

    def _check_earlier(
        self, name: str, rows: Counter[_Row], expected: dict[_Row, str], keys: set[str]
    ) -> dict[_Row, str]:
        """The rows that an earlier version recorded under keys that their names no longer have.

        They are harmless beside the same rows under today's key, unless the key now belongs to another name.
        """
        earlier: dict[_Row, str] = {}
        told: set[str] = set()
        for row, metric in expected.items():
            before = _before(row, metric)
            if before == row or before not in rows or before in expected:
                continue
            earlier[before] = metric
            if metric in told or (row in rows and before[0] not in keys):
                continue
            told.add(metric)
            if row in rows:
                self._tell(
                    f"{name}: key {before[0]!r} holds {metric!r} as well, which an earlier version recorded there"
                )
            else:
                again = f"`tuner record {self._sweep.name}` records it under {row[0]!r}"
                self._tell(
                    f"{name}: {metric!r} has the key {before[0]!r}, as an earlier version recorded it; {again}", "lost"
                )
        return earlier

    def _check_single(self, name: str, rows: Iterable[_Row]) -> None:
        """Checks that a trial has one value for each key and step; two names with the same key would show here."""
        values: dict[tuple[str, int], set[str]] = {}
        for key, step, _, text in rows:
            values.setdefault((key, step), set()).add(text)
        for (key, step), texts in values.items():
            if len(texts) > 1:
                self._tell(f"{name}: key {key!r} has {len(texts)} values at step {step}: {', '.join(sorted(texts))}")

    def _tell(self, message: str, kind: Kind = "wrong") -> None:
        self._found.add("mlflow", message, kind)

    def _check_newest_test(self, name: str, rows: Iterable[_Row], trial: Trial) -> None:
        """Checks that the test metrics of an ended trial's best weights are recorded."""
        if trial.outcome is None:
            return
        told = {(key, text) for key, _, _, text in rows}
        for metric, value in trial.test_metrics.items():
            key, text = self._names.test(metric), _text(ev.metric_value(value))
            if (key, text) not in told:
                self._tell(f"{name}: {key} {text} is missing", "lost")


def trial_rows(sweep: Sweep, names: Names, trial: Trial, ended_ms: int) -> dict[_Row, str]:
    """The rows of a trial without its test metrics: row -> name of the metric."""
    rows = {
        _row(names.metric(name), ev.metric_value(value), epoch.epoch, epoch.at): name
        for epoch in trial.epochs
        for name, value in epoch.metrics.items()
    }
    if trial.outcome is not None:
        figures: dict[str, float] = {"epochs_trained": trial.epochs_trained, "training_s": trial.training_s}
        figures |= speed(trial) if names.has_examples_per_s else {}
        rows |= {(name, 0, ended_ms, _text(value)): name for name, value in figures.items()}
        if trial.best_epoch:
            rows[best_objective_key(sweep.metric), 0, ended_ms, _text(trial.best_value)] = f"best_{sweep.metric}"
            rows["best_epoch", 0, ended_ms, _text(trial.best_epoch)] = "best_epoch"
    return rows


def _system_rows(events: Iterable[ev.AnyEvent]) -> dict[int, dict[_Row, str]]:
    """By trial, the rows of what its node did."""
    found: dict[int, dict[_Row, str]] = {}
    counts: Counter[int] = Counter()
    for event in events:
        if isinstance(event, ev.SystemSampled):
            rows = system_rows(event, counts[event.trial])
            found.setdefault(event.trial, {}).update(
                {(key, step, at_ms, _text(value)): key for key, value, at_ms, step in rows}
            )
            counts[event.trial] += len(event.samples)
    return found


def parent_rows(events: Sequence[ev.AnyEvent]) -> dict[_Row, str]:
    """The parent's curve: the best value and its epoch at each change, over the epochs of all trials."""
    walk = Sweep()
    rows: dict[_Row, str] = {}
    before = None
    for event in events:
        walk.apply(event)
        best = walk.best
        figures = (best.number, best.best_value, best.best_epoch) if best else None
        if figures == before:
            continue
        before = figures
        _, value, epoch = figures or (-1, math.nan, 0)
        rows[_row(best_objective_key(walk.metric), value, walk.num_epochs, event.at)] = f"best_{walk.metric}"
        rows[_row("best_epoch", epoch, walk.num_epochs, event.at)] = "best_epoch"
    return rows


def _before(row: _Row, name: str) -> _Row:
    """The row as earlier versions, with other rules for names, recorded it."""
    return earlier_key(name), *row[1:]


def _counted(run: RecordedRun) -> Counter[_Row]:
    return Counter((row.key, row.step, row.at_ms, _text(row.value)) for row in run.rows)


def _row(key: str, value: float, step: int, at: float) -> _Row:
    return key, step, int(at * 1000), _text(value)


def _text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "nan"


def _say(row: _Row) -> str:
    key, step, at_ms, text = row
    return f"{key} {text} at step {step}, time {at_ms}"


class _TestMetrics:
    """The test metrics in the events of checkpoints, and when trials ended."""

    def __init__(self, events: Iterable[ev.AnyEvent], names: Names) -> None:
        self._ended_at: dict[int, float] = {}
        self._told: dict[int | None, dict[tuple[str, str], str]] = {}
        for event in events:
            if isinstance(event, ev.TrialEnded):
                self._ended_at[event.trial] = event.at
            elif isinstance(event, ev.CheckpointSaved):
                for name, value in event.test.items():
                    full = name if name.startswith("test_") else f"test_{name}"
                    for trial in (event.trial, None):
                        self._told.setdefault(trial, {})[names.test(name), _text(ev.metric_value(value))] = full

    def ended_ms(self, trial: Trial) -> int:
        return int(self._ended_at.get(trial.number, 0.0) * 1000)

    def names_by_row(self, trial: int | None) -> dict[tuple[str, str], str]:
        """(key, value) that rows of test metrics may have -> name of the metric."""
        return self._told.get(trial, {})
