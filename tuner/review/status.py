"""The data of `tuner show`, `trials` and `list`, made from a folded sweep. The keys are a contract."""

from __future__ import annotations

import math
import warnings
from typing import Any

from tuner.analysis import importance_cache
from tuner.analysis.importance_values import MIN_TRIALS, Importance, Unknown, importance_data, too_few
from tuner.base.errors import StorageError, UsageError
from tuner.base.hints import option
from tuner.base.outcomes import SweepState
from tuner.base.secrets import without_credentials
from tuner.base.words import nearest
from tuner.probe.journal import NAME, probed
from tuner.recording import Cursor, backlog, check_place, misplaced, read_cursor, recorder_standing
from tuner.recording.database import sqlite_file
from tuner.storage import DATABASE, StorageRoot, SweepFolder
from tuner.storage.journal import History, read_events, read_holder
from tuner.sweep import Sweep, Trial, fold
from tuner.sweep.events import EpochReported, metric_value

FEWEST_FOR_ADVICE = 3
"""With fewer ended trials no rule speaks."""


def open_sweep(root: StorageRoot, name: str) -> tuple[SweepFolder, Sweep]:
    """Opens a sweep by name for reading; like `open_history`, for callers that do not need the events."""
    history = find_history(root, name)
    _warn_of_place(history.folder, history.sweep)
    return history.folder, history.sweep


def open_own_sweep(root: StorageRoot, name: str) -> tuple[SweepFolder, Sweep]:
    """Opens a sweep by name for writing; like `open_own_history`, for callers that do not need the events."""
    history = open_own_history(root, name)
    return history.folder, history.sweep


def find_sweep(root: StorageRoot, name: str) -> tuple[SweepFolder, Sweep]:
    """Opens a sweep by name, even if its folder is a copy; raises like `open_sweep`."""
    history = find_history(root, name)
    return history.folder, history.sweep


def open_history(root: StorageRoot, name: str) -> History:
    """Opens a sweep's history for reading; warns if its folder is a copy, or was moved without its root.

    Raises:
        UsageError: there is no such sweep; the message has the nearest name.
        ForeignFileError: it is a link, or a link has the name of one of its files.
        StorageError: its journal cannot be read.
    """
    history = find_history(root, name)
    _warn_of_place(history.folder, history.sweep)
    return history


def open_own_history(root: StorageRoot, name: str) -> History:
    """Opens a sweep's history for writing.

    Raises:
        MisplacedError: its folder is a copy, or was moved without its root.
        UsageError, StorageError: as `open_history`.
    """
    history = find_history(root, name)
    check_place(history.folder, history.sweep)
    return history


def find_history(root: StorageRoot, name: str) -> History:
    """Opens a sweep's history, even if its folder is a copy; raises like `open_history`."""
    folder = root.sweep(name)
    if not folder.exists():
        if name == NAME and (measured := probed(root)):
            rule = "is no sweep: it has what `tuner probe` measured of"
            raise UsageError(f"{NAME} in {root.path} {rule} {', '.join(measured[:5])}, for search.warm_start: [{NAME}]")
        names = [other.name for other in root.sweeps()]
        hint = (
            nearest(name, names) if names else f"; there are no sweeps there ({option('storage')} selects another root)"
        )
        raise UsageError(f"no sweep {name!r} in {root.path}{hint}")
    folder.check()
    history = History(folder).read_on()
    if not history.events:
        raise UsageError(f"sweep {name!r} in {root.path} has an empty journal; remove the folder or restore the file")
    return history


def _warn_of_place(folder: SweepFolder, sweep: Sweep) -> None:
    """Warns if a sweep's journal belongs to another folder."""
    try:
        what = misplaced(folder, sweep) if sweep.num_events else ""
    except StorageError as error:  # does not prevent reading
        warnings.warn(str(error), RuntimeWarning, stacklevel=3)
        return
    if what:
        warnings.warn(f"sweep {folder.name} can be read, but not resumed: {what}", RuntimeWarning, stacklevel=3)


def state(folder: SweepFolder, sweep: Sweep) -> SweepState:
    """running, interrupted, paused, finished or stopped: derived, never stored."""
    if sweep.ended is None and read_holder(folder.lease) is not None:
        return "running"
    if sweep.ended is None:
        sweep = fold(read_events(folder))  # its driver may have ended it in the meantime
    return sweep.ended.state if sweep.ended is not None else "interrupted"


def show(folder: SweepFolder, sweep: Sweep) -> dict[str, Any]:
    """One sweep in numbers, as `tuner show --json` prints it."""
    weighed = _weighed(sweep)
    return {
        **glance(folder, sweep),
        "importance": importance_data(weighed),
        "advice": _advice(folder, sweep, weighed),
    }


def glance(folder: SweepFolder, sweep: Sweep) -> dict[str, Any]:
    """What `show` says without looking for importance and advice, which takes a second or two."""
    current = state(folder, sweep)
    return {
        "sweep": sweep.name,
        "state": current,
        "num_trials": sweep.num_trials,
        "outcomes": sweep.outcomes(),
        "infeasible": _infeasible(sweep),
        "epochs": sweep.num_epochs,
        "best": best(sweep),
        "wall_s": round(sweep.wall_s, 3),
        "training_s": round(sweep.training_s, 3),
        "slots": sweep.slots,
        "utilization": round(sweep.utilization, 4),
        "mlflow": _mlflow(folder, sweep, current == "running"),
    }


def known_importance(sweep: Sweep) -> Importance | Unknown | None:
    """What can be said of importance without looking for it; None for nothing."""
    begun = sum(1 for trial in sweep.trials.values() if trial.epochs or trial.outcome)
    return Unknown(too_few(begun), begun) if begun < MIN_TRIALS else importance_cache.known(sweep)


def _weighed(sweep: Sweep) -> Importance | Unknown:
    known = known_importance(sweep)
    return importance_cache.weighed(sweep) if known is None else known


def _advice(folder: SweepFolder, sweep: Sweep, importance: Importance | Unknown) -> list[dict[str, Any]]:
    if len(sweep.ended_trials) < FEWEST_FOR_ADVICE:
        return []
    from tuner.analysis.advice import advice_data  # which loads what reading a sweep does not need
    from tuner.review.advising import advised

    return advice_data(advised(folder, sweep, importance))


def _infeasible(sweep: Sweep) -> dict[str, Any]:
    from tuner.spec.feasible import infeasible_figures  # which loads what reading a sweep does not need

    return infeasible_figures(sweep.spec, sweep.num_infeasible, len(sweep.trials))


def _mlflow(folder: SweepFolder, sweep: Sweep, is_running: bool) -> dict[str, Any]:
    cursor = read_cursor(folder)
    uri, behind = recorded_at(folder, sweep, cursor), backlog(folder, sweep.num_events)
    return {
        "uri": uri,
        "experiment_id": cursor.experiment_id or None,
        "run_id": cursor.run_id or None,
        "backlog": behind,
        "recorder": recorder_standing(folder, cursor, uri, behind, is_running),
    }


def recorded_at(folder: SweepFolder, sweep: Sweep, cursor: Cursor) -> str:
    """The store that a cursor names, without credentials. A storage root's own store moves along with the root."""
    uri = cursor.uri or without_credentials(tracking_uri(folder, sweep))
    is_the_root_s = not sweep.spec["tracking"]["uri"] and (file := sqlite_file(uri)) and file.name == DATABASE
    return f"sqlite:///{folder.root.database}" if is_the_root_s else uri


def tracking_uri(folder: SweepFolder, sweep: Sweep) -> str:
    """Where the sweep is recorded; without credentials, unless an old journal holds them."""
    return str(sweep.spec["tracking"]["uri"] or folder.root.default_tracking_uri)


def best(sweep: Sweep) -> dict[str, Any] | None:
    """The best trial so far; None before there is one."""
    trial = sweep.best
    if trial is None:
        return None
    return {"trial": trial.number, "value": trial.best_value, "epoch": trial.best_epoch, "params": trial.params}


def trials(folder: SweepFolder, sweep: Sweep) -> list[dict[str, Any]]:
    """Every trial, by number, as `tuner trials --json` prints it."""
    runs = read_cursor(folder).trials
    return [_trial(trial, sweep, runs.get(trial.number)) for trial in sweep.trials.values()]


def _trial(trial: Trial, sweep: Sweep, run_id: str | None) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "params": trial.params,
        "outcome": trial.state,
        "reason": trial.reason,
        "epochs": trial.epochs_trained,
        "best": _finite(trial.best_value) if trial.best_epoch else None,
        "last": _last_value(trial.epochs, sweep.metric),
        "attempts": trial.attempts,
        "training_s": round(trial.training_s, 3),
        "mlflow_run_id": run_id,
    }


def _last_value(epochs: list[EpochReported], metric: str) -> float | None:
    return _finite(metric_value(epochs[-1].metrics.get(metric))) if epochs else None


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None


def summary(folder: SweepFolder) -> dict[str, Any]:
    """One line of `tuner list`."""
    try:
        sweep = fold(read_events(folder))
        current = state(folder, sweep) if sweep.num_events else "damaged"
        _warn_of_place(folder, sweep)
    except StorageError:
        sweep, current = Sweep(), "damaged"
    return summary_of(folder, sweep, current)


def summary_of(folder: SweepFolder, sweep: Sweep, current: str) -> dict[str, Any]:
    """One line of `tuner list`, of a sweep that has been read."""
    found = best(sweep)
    return {
        "sweep": folder.name,
        "state": current,
        "trials": sum(1 for trial in sweep.trials.values() if trial.outcome not in (None, "infeasible")),
        "num_trials": sweep.num_trials if sweep.num_events else 0,
        "epochs": sweep.num_epochs,
        "metric": sweep.metric if sweep.num_events else "",
        "best": found["value"] if found else None,
        "started_at": sweep.spans[0].started_at if sweep.spans else None,
    }
