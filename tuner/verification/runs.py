"""What MLflow must hold of a sweep, against what it holds. It follows from the layout, not from the recorder's code.

A value of a metric is compared with its step and time; NaN equals NaN.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from tuner import events as ev
from tuner.recording.reading import RecordedRun
from tuner.recording.values import INACTIVE, key_text, param_text, tag_text
from tuner.sweep import Sweep, Trial
from tuner.verification.result import Findings

_Row = tuple[str, int, int, str]
"""key, step, time in ms, value as text."""

_ALWAYS = ("learning_rate", "batch_size", "epochs")
_STATUS = {
    "completed": "FINISHED",
    "stopped": "FINISHED",
    "plateaued": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "out_of_memory": "FAILED",
    "cancelled": "KILLED",
}


def check_runs(sweep: Sweep, events: Sequence[ev.AnyEvent], runs: Iterable[RecordedRun], found: Findings) -> int:
    """Every run of the sweep, the parent first; returns the number of metric rows."""
    test = _TestMetrics(events)
    rows_of_parent = parent_rows(events)
    seen: Counter[int | None] = Counter()
    parent_id, best_id, num_rows = "", "", 0
    for run in runs:
        seen[run.trial] += 1
        num_rows += len(run.rows)
        name = _name(run.trial)
        if seen[run.trial] > 1:
            found.add("mlflow", f"{name} has a second run {run.run_id}", "duplicated")
        elif run.trial is None:
            parent_id, best_id = run.run_id, run.tags.get("tuner.best_run_id", "")
            _check_parent(sweep, run, found)
            _check_rows(name, run, rows_of_parent, test.allowed(None), found)
        elif run.trial not in sweep.trials:
            found.add("mlflow", f"{name} has a run, but the journal has no such trial", "duplicated")
        else:
            trial = sweep.trials[run.trial]
            if trial is sweep.best and (sweep.ended or sweep.interrupted) and best_id != run.run_id:
                found.add(
                    "mlflow", f"the best trial's run is {run.run_id}, but the sweep's run names {best_id or 'none'}"
                )
            _check_trial(sweep, trial, run, parent_id, found)
            _check_rows(name, run, trial_rows(sweep, trial, test.ended_ms(trial)), test.allowed(trial.number), found)
            _check_newest_test(name, run, trial, found)
    for key in (None, *sweep.trials):
        if key not in seen:
            found.add("mlflow", f"{_name(key)} has no run", "lost")
    return num_rows


def _name(trial: int | None) -> str:
    return "the sweep" if trial is None else f"trial {trial}"


def _check_parent(sweep: Sweep, run: RecordedRun, found: Findings) -> None:
    if run.parent_run_id is not None:
        found.add("mlflow", f"the sweep's run has a parent {run.parent_run_id}")
    _check_status("the sweep", run, _parent_statuses(sweep), found)
    tags = {"tuner.sweep": sweep.name}
    if sweep.best is not None and (sweep.ended or sweep.interrupted):
        tags["tuner.best_trial"] = str(sweep.best.number)
        tags |= {key_text(f"tuner.best.{name}"): text for name, text in _params(sweep, sweep.best).items()}
    _check_texts("the sweep", "tag", run.tags, tags, found)


def _parent_statuses(sweep: Sweep) -> tuple[str, ...]:
    if sweep.ended is None:
        return ("KILLED",) if sweep.interrupted else ("RUNNING", "KILLED")
    if sweep.ended.state == "finished":
        return ("FINISHED",)
    if sweep.ended.state == "stopped":
        return ("FINISHED",) if sweep.best else ("FAILED",)
    return ("KILLED",)


def _check_trial(sweep: Sweep, trial: Trial, run: RecordedRun, parent_id: str, found: Findings) -> None:
    name = _name(trial.number)
    if run.parent_run_id != parent_id or not parent_id:
        found.add(
            "mlflow", f"{name}'s run has the parent {run.parent_run_id}, but the sweep's is {parent_id or 'none'}"
        )
    left = sweep.ended or sweep.interrupted
    if trial.outcome is not None:
        statuses: tuple[str, ...] = (_STATUS.get(trial.outcome, "FAILED"),)
    else:
        statuses = ("KILLED",) if left else ("RUNNING", "KILLED")
    _check_status(name, run, statuses, found)
    tags = {"tuner.sweep": sweep.name, "tuner.trial": str(trial.number)}
    if trial.outcome is not None:
        tags["tuner.outcome"] = trial.outcome
        if trial.reason:
            tags["tuner.reason"] = tag_text(trial.reason)
    _check_texts(name, "tag", run.tags, tags, found)
    params = _params(sweep, trial)
    _check_texts(name, "param", run.params, params, found)
    for key in sorted(run.params.keys() - params.keys()):
        found.add("mlflow", f"{name}: the run has a param {key}, but the trial has none")


def _params(sweep: Sweep, trial: Trial) -> dict[str, str]:
    """The same set for every trial of the sweep."""
    names = {*sweep.spec["space"], *_ALWAYS, *trial.params}
    return {key_text(name): param_text(trial.params[name]) if name in trial.params else INACTIVE for name in names}


def _check_status(name: str, run: RecordedRun, allowed: tuple[str, ...], found: Findings) -> None:
    if run.status not in allowed:
        found.add("mlflow", f"{name}'s run is {run.status}, but must be {' or '.join(allowed)}")


def _check_texts(name: str, what: str, texts: dict[str, str], expected: dict[str, str], found: Findings) -> None:
    for key, text in expected.items():
        if key not in texts:
            found.add("mlflow", f"{name}: {what} {key} is missing", "lost")
        elif texts[key] != text:
            found.add("mlflow", f"{name}: {what} {key} is {texts[key][:80]!r}, but must be {text[:80]!r}")


def trial_rows(sweep: Sweep, trial: Trial, ended_ms: int) -> set[_Row]:
    """Every row of a trial's metrics but those of its test."""
    rows = {
        _row(name, ev.number(value), epoch.epoch, epoch.at)
        for epoch in trial.epochs
        for name, value in epoch.metrics.items()
    }
    if trial.outcome is not None:
        figures: dict[str, float] = {"epochs_trained": trial.epochs_trained, "training_s": trial.training_s}
        if trial.best_epoch:
            figures |= {f"best_{sweep.metric}": trial.best_value, "best_epoch": trial.best_epoch}
        rows |= {(key_text(name), 0, ended_ms, _text(value)) for name, value in figures.items()}
    return rows


def parent_rows(events: Sequence[ev.AnyEvent]) -> set[_Row]:
    """The parent's curve: the best value and its epoch at each change, over the epochs trained by all trials."""
    walk = Sweep()
    rows: set[_Row] = set()
    before = None
    for event in events:
        walk.apply(event)
        best = walk.best
        figures = (best.number, best.best_value, best.best_epoch) if best else None
        if figures == before:
            continue
        before = figures
        _, value, epoch = figures or (-1, math.nan, 0)
        rows.add(_row(f"best_{walk.metric}", value, walk.epochs, event.at))
        rows.add(_row("best_epoch", epoch, walk.epochs, event.at))
    return rows


def _row(name: str, value: float, step: int, at: float) -> _Row:
    return key_text(name), step, int(at * 1000), _text(value)


def _text(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "nan"


def _check_rows(name: str, run: RecordedRun, expected: set[_Row], test: set[tuple[str, str]], found: Findings) -> None:
    """Every row once, and no others; a row of test metrics may come whenever they were told."""
    rows = Counter((row.key, row.step, row.at_ms, _text(row.value)) for row in run.rows)
    for row in sorted(expected - rows.keys()):
        found.add("mlflow", f"{name}: row {_say(row)} is missing", "lost")
    for row, times in rows.items():
        if times > 1:
            found.add("mlflow", f"{name}: row {_say(row)} is there {times} times", "duplicated")
        if row not in expected and (row[0], row[3]) not in test:
            found.add("mlflow", f"{name}: row {_say(row)} is not in the journal", "duplicated")


def _say(row: _Row) -> str:
    key, step, at_ms, text = row
    return f"{key} {text} at step {step}, time {at_ms}"


class _TestMetrics:
    """The test metrics that checkpoints tell, and when trials ended."""

    def __init__(self, events: Iterable[ev.AnyEvent]) -> None:
        self._ended_at: dict[int, float] = {}
        self._told: dict[int | None, set[tuple[str, str]]] = {}
        for event in events:
            if isinstance(event, ev.TrialEnded):
                self._ended_at[event.trial] = event.at
            elif isinstance(event, ev.CheckpointSaved):
                told = {(_test_key(name), _text(ev.number(value))) for name, value in event.test.items()}
                for trial in (event.trial, None):
                    self._told.setdefault(trial, set()).update(told)

    def ended_ms(self, trial: Trial) -> int:
        return int(self._ended_at.get(trial.number, 0.0) * 1000)

    def allowed(self, trial: int | None) -> set[tuple[str, str]]:
        """Keys and values that rows of test metrics may have."""
        return self._told.get(trial, set())


def _test_key(name: str) -> str:
    return key_text(name if name.startswith("test_") else f"test_{name}")


def _check_newest_test(name: str, run: RecordedRun, trial: Trial, found: Findings) -> None:
    """The test metrics of an ended trial's best weights are there."""
    if trial.outcome is None:
        return
    rows = {(row.key, _text(row.value)) for row in run.rows}
    for metric, value in trial.test_metrics.items():
        if (_test_key(metric), _text(ev.number(value))) not in rows:
            found.add("mlflow", f"{name}: {_test_key(metric)} {_text(ev.number(value))} is missing", "lost")
