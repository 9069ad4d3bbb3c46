"""Compares the runs in MLflow with what the layout requires, independently of the recorder's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tuner.base.coupling import SCALED, scaled_rate
from tuner.base.outcomes import Outcome
from tuner.recording.lists import flat_values, is_flat_name, lengths
from tuner.recording.names import Names, best_objective_key, earlier_key
from tuner.recording.reading import RecordedRun
from tuner.recording.values import INACTIVE, param_text, tag_text
from tuner.review.verification.result import Findings
from tuner.review.verification.rows import RowChecker
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

_ALWAYS = ("learning_rate", "batch_size", "epochs")
_STATUS: dict[Outcome, str] = {
    "completed": "FINISHED",
    "stopped": "FINISHED",
    "plateaued": "FINISHED",
    "diverged": "FAILED",
    "failed": "FAILED",
    "out_of_memory": "FAILED",
    "infeasible": "KILLED",
    "cancelled": "KILLED",
}


def check_runs(sweep: Sweep, events: Sequence[ev.AnyEvent], runs: Iterable[RecordedRun], found: Findings) -> int:
    """Checks every run of the sweep, the parent first; returns the number of metric rows."""
    names = Names.of(events)
    check_names(names, sweep.metric, found)
    rows = RowChecker(sweep, events, names, found)
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
            _check_parent(sweep, names, run, found)
            rows.check_parent(run)
        elif run.trial not in sweep.trials:
            found.add("mlflow", f"{name} has a run, but the journal has no such trial", "duplicated")
        else:
            trial = sweep.trials[run.trial]
            if trial is sweep.best and (sweep.ended or sweep.interrupted) and best_id != run.run_id:
                found.add(
                    "mlflow", f"the best trial's run is {run.run_id}, but the sweep's run names {best_id or 'none'}"
                )
            _check_trial(sweep, names, trial, run, parent_id, found)
            rows.check_trial(trial, run)
    for key in (None, *sweep.trials):
        if key not in seen:
            found.add("mlflow", f"{_name(key)} has no run", "lost")
    return num_rows


def check_names(names: Names, objective: str, found: Findings) -> None:
    """Checks that no two names have the same key. A fault in the rules would silently mix their values."""
    ours = {best_objective_key(objective): "the best value's", "best_epoch": "Tuner's", "epochs_trained": "Tuner's"}
    ours["training_s"] = "Tuner's"
    if names.has_examples_per_s:
        ours["examples_per_s"] = "Tuner's"
    metrics = [(names.metric(name), f"metric {name!r}") for name in names.metrics]
    params = [(names.param(name), f"param {name!r}") for name in names.params]
    tags = [(names.best_param(name), f"tag of param {name!r}") for name in names.params]
    for keys, taken in ((metrics, ours), (params, {}), (tags, {})):
        for key, name in keys:
            if key in taken:
                found.add("mlflow", f"{name} has the key {key!r}, which is {taken[key]} too")
            taken[key] = f"{name}'s"


def _name(trial: int | None) -> str:
    return "the sweep" if trial is None else f"trial {trial}"


def _check_parent(sweep: Sweep, names: Names, run: RecordedRun, found: Findings) -> None:
    if run.parent_run_id is not None:
        found.add("mlflow", f"the sweep's run has a parent {run.parent_run_id}")
    _check_status("the sweep", run, _parent_statuses(sweep), found)
    tags = {"tuner.sweep": sweep.name}
    if sweep.best is not None and (sweep.ended or sweep.interrupted):
        tags["tuner.best_trial"] = str(sweep.best.number)
        tags |= {names.best_param(name): text for name, text in _params(sweep, sweep.best)}
    _check_texts("the sweep", "tag", run.tags, tags, found)


def _parent_statuses(sweep: Sweep) -> tuple[str, ...]:
    if sweep.ended is None:
        return ("KILLED",) if sweep.interrupted else ("RUNNING", "KILLED")
    if sweep.ended.state == "finished":
        return ("FINISHED",)
    if sweep.ended.state == "stopped":
        return ("FINISHED",) if sweep.best else ("FAILED",)
    return ("KILLED",)


def _check_trial(sweep: Sweep, names: Names, trial: Trial, run: RecordedRun, parent_id: str, found: Findings) -> None:
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
    if trial.jit_compile is not None:
        tags["tuner.jit_compile"] = str(trial.jit_compile).lower()
    _check_texts(name, "tag", run.tags, tags, found)
    logged = {names.param(param): param_text(value) for param, value in trial.logged.items()}
    params = logged | {names.param(param): text for param, text in _params(sweep, trial)}
    _check_texts(name, "param", run.params, params, found)
    earlier = {earlier_key(param) for param in names.params}  # recorded by an earlier version; cannot be removed
    lists = lengths(sweep.spec["space"])
    beyond = {key for key, text in run.params.items() if text == INACTIVE and is_flat_name(key, lists)}
    for key in sorted(run.params.keys() - params.keys() - earlier - beyond):
        found.add("mlflow", f"{name}: the run has a param {key}, but the trial has none")


def _params(sweep: Sweep, trial: Trial) -> Iterator[tuple[str, str]]:
    """The same set for every trial of the sweep."""
    space, records = sweep.spec["space"], sweep.spec.get("records", {})
    yield from ((name, param_text(value)) for name, value in flat_values(lengths(space), trial.params).items())
    if (rate := scaled_rate(space, trial.params)) is not None and SCALED not in space:
        yield SCALED, param_text(rate)
    for name in {*space, *(() if sweep.is_script else _ALWAYS), *trial.params}:
        if records.get(name) in trial.params:
            yield name, param_text(trial.params[records[name]])
        elif name in trial.params:
            yield name, param_text(trial.params[name])
        elif name in trial.used and name != "epochs":
            yield name, param_text(trial.used[name])
        elif name in space or name in records or name == "epochs" or trial.used or trial.outcome is not None:
            yield name, INACTIVE


def _check_status(name: str, run: RecordedRun, allowed: tuple[str, ...], found: Findings) -> None:
    if run.status not in allowed:
        found.add("mlflow", f"{name}'s run is {run.status}, but must be {' or '.join(allowed)}")


def _check_texts(name: str, what: str, texts: dict[str, str], expected: dict[str, str], found: Findings) -> None:
    for key, text in expected.items():
        if key not in texts:
            found.add("mlflow", f"{name}: {what} {key} is missing", "lost")
        elif texts[key] != text:
            found.add("mlflow", f"{name}: {what} {key} is {texts[key][:80]!r}, but must be {text[:80]!r}")
