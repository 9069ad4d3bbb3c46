"""Verifies every invariant of a sweep from its files and MLflow runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import psutil

from tuner.base.errors import ForeignFileError, TooLargeError, TunerError
from tuner.engine.replay import Recomputed, replay
from tuner.inspection.provenance import reading
from tuner.inspection.provenance.learned import learned_damages
from tuner.policy import Policy
from tuner.policy.version import decides_alike
from tuner.recording import backlog, read_cursor
from tuner.recording.reading import RecordedRun, read_runs
from tuner.recording.target import Target
from tuner.review.verification import decisions, history, runs, weights
from tuner.review.verification.result import INVARIANTS, Finding, Findings, Verification
from tuner.review.verification.weights import StoredFile
from tuner.spec import spec_from_mapping
from tuner.spec.history import SpecHistory
from tuner.storage import SweepFolder, names, read_bytes
from tuner.storage.journal import read_events, read_holder
from tuner.storage.names import is_trial_name
from tuner.storage.nofollow import open_file
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

_TEMPORARY = ".tmp"


def verify_sweep(
    folder: SweepFolder,
    acknowledged: Sequence[ev.AnyEvent] = (),
    *,
    mlflow: bool = True,
    checkpoints: bool = True,
    events: Sequence[ev.AnyEvent] | None = None,
) -> Verification:
    """Verifies a sweep from its files and its MLflow runs alone. Changes nothing.

    Args:
        acknowledged: events that were seen earlier and must still exist.
        mlflow: whether to compare MLflow. If so, an unreachable store is a violation.
        checkpoints: whether to read the checkpoint files.
        events: the whole journal, if it was read already.
    """
    try:
        events = read_events(folder) if events is None else events
    except TunerError as error:
        return _unreadable(str(error))
    found = Findings()
    for problem in folder.problems():
        found.add("checkpoints", str(problem))
    weights.check_paths(events, found)
    counts = {"events": len(events)}
    notes: list[str] = []
    skipped: dict[str, str] = {}
    sweep = verify_events(events, acknowledged, found, counts, notes, skipped)
    if sweep is None:
        unread = _skip(("mlflow", "checkpoints"), "the journal cannot be folded")
        return Verification(counts, list(found), unread)
    if sweep.ended is None and _is_held(folder):
        skipped |= _skip(("mlflow", "checkpoints"), "a driver is running the sweep")
    if not mlflow:
        skipped |= _skip(("mlflow",), "not asked for")
    if not checkpoints:
        skipped |= _skip(("checkpoints",), "not asked for")
    if "mlflow" not in skipped:
        _verify_mlflow(folder, sweep, events, found, counts)
    if "checkpoints" not in skipped:
        _verify_checkpoints(folder, sweep, events, found, counts)
    if sweep.codes:
        counts["code_files"] = reading.num_copies(sweep)
        for line in reading.damages(folder, sweep):
            found.add("code", line, "lost")
    for line in learned_damages(folder, sweep):
        found.add("code", line, "lost")
    return Verification(counts, list(found), skipped, [*notes, *reading.notes(folder, sweep, events)])


def verify_events(
    events: Sequence[ev.AnyEvent],
    acknowledged: Iterable[ev.AnyEvent],
    found: Findings,
    counts: dict[str, int],
    notes: list[str] | None = None,
    skipped: dict[str, str] | None = None,
) -> Sweep | None:
    """Verifies the journal alone. Returns None if it is too damaged to be folded.

    Args:
        found, counts, notes, skipped: results are added to these; see `Verification`.
    """
    history.check_sequence(events, acknowledged, found)
    history.check_lives(events, found)
    for line in reading.malformed(events):
        found.add("code", line)
    try:
        sweep = fold(events)
        if not events:
            raise ValueError("it is empty")
        spec = spec_from_mapping(sweep.spec, source="the journal")
        policy = replay(spec, events)
        counts["trials"] = len(sweep.trials)
        counts["epochs"] = sweep.num_epochs
        recomputed = decisions.check_decisions(events, found)
        counts["decisions"] = recomputed.num
        _tell_not_recomputed(recomputed, counts, [] if notes is None else notes, {} if skipped is None else skipped)
        decisions.check_outcomes(events, found)
        counts["observations"] = decisions.check_policy(spec, sweep, policy, found)
        decisions.check_best(sweep, found)
        counts["attempts"] = sum(trial.attempts for trial in sweep.trials.values())
        counts["epochs_trained_twice"] = weights.check_rework(events, found)
        history.check_number(sweep, _is_exhausted(policy, sweep, events), found)
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, TunerError) as error:
        found.add("events", f"the journal cannot be folded: {type(error).__name__}: {error}")
        return None
    return sweep


def _tell_not_recomputed(
    recomputed: Recomputed, counts: dict[str, int], notes: list[str], skipped: dict[str, str]
) -> None:
    """Reports which decisions were not recomputed: as a note, or as the reason why none was."""
    if recomputed.left:
        counts["decisions_not_recomputed"] = recomputed.left.total()
    if why := decisions.not_recomputed(recomputed):
        if recomputed.num:
            notes.append(f"decisions: {why}")
        else:
            skipped["decisions"] = why
    if hint := decisions.unnamed(recomputed):
        notes.append(f"decisions: {hint}")


def _is_exhausted(policy: Policy, sweep: Sweep, events: Sequence[ev.AnyEvent]) -> bool:
    """Whether the policy has nothing more to suggest. Asks it only if that matters, and last.

    If another version of the policy found nothing more, that is accepted.
    """
    if sweep.num_counted >= sweep.num_trials:
        return False
    knows_earlier = any(isinstance(event, ev.WarmStarted) and event.trials for event in events)
    is_alike = decides_alike(SpecHistory(events).policy, knows_earlier)
    return not is_alike or policy.ask() is None


def _is_held(folder: SweepFolder) -> bool:
    try:
        return read_holder(folder) is not None
    except ForeignFileError:  # told among the folder's problems
        return False


def _unreadable(message: str) -> Verification:
    others = [name for name in INVARIANTS if name != "events"]
    return Verification({}, [Finding("events", message, "lost")], _skip(others, "the journal cannot be read"))


def _skip(names: Iterable[str], why: str) -> dict[str, str]:
    return dict.fromkeys(names, why)


def _verify_mlflow(
    folder: SweepFolder, sweep: Sweep, events: Sequence[ev.AnyEvent], found: Findings, counts: dict[str, int]
) -> None:
    behind = backlog(folder, len(events))
    if behind:
        found.add("mlflow", f"{behind} events are not recorded; `tuner record {folder.name}` records them", "lost")
    ids: dict[int, str] = {}
    try:
        recorded = _noting(read_runs(Target.of(sweep.spec, folder), sweep.sweep_id), ids)
        counts["metric_rows"] = runs.check_runs(sweep, events, recorded, found)
    except TunerError as error:
        found.add("mlflow", str(error), "lost")
        return
    counts["runs"] = len(ids)
    for trial, run_id in read_cursor(folder).trials.items():
        if ids.get(trial, run_id) != run_id:
            found.add("mlflow", f"trial {trial}'s run is {ids[trial]}, but the cursor says {run_id}")


def _noting(recorded: Iterator[RecordedRun], ids: dict[int, str]) -> Iterator[RecordedRun]:
    """Passes runs through, and collects their ids by trial (-1 for the parent)."""
    for run in recorded:
        ids[-1 if run.trial is None else run.trial] = run.run_id
        yield run


def _verify_checkpoints(
    folder: SweepFolder, sweep: Sweep, events: Sequence[ev.AnyEvent], found: Findings, counts: dict[str, int]
) -> None:
    try:
        files = _stored_files(folder)
        beside = names(folder.path, folder.base)
    except (OSError, TunerError) as error:
        found.add("checkpoints", f"{folder.checkpoints} cannot be read: {error}", "lost")
        return
    if sweep.ended is not None and sweep.ended.state == "finished":
        for name in [name for name in beside if name.endswith(_TEMPORARY)]:
            found.add("checkpoints", f"{name} is a temporary file that nobody deleted")
    counts["checkpoints"] = weights.check_files(sweep, weights.kept_trials(events, sweep), files, found)


def _stored_files(folder: SweepFolder) -> dict[str, StoredFile]:
    """Reads every checkpoint file below `checkpoints/`; files that vanish meanwhile and foreign files are skipped."""
    files: dict[str, StoredFile] = {}
    for entry in names(folder.checkpoints, folder.base):
        path = f"{folder.checkpoints.name}/{entry}"
        if not is_trial_name(entry):
            files[path] = StoredFile(path, error="no trial's checkpoints have this name")
            continue
        try:
            inside = names(folder.checkpoints / entry, folder.base)
        except ForeignFileError:
            continue  # told among the folder's problems
        stored = (_stored_file(folder, f"{path}/{name}") for name in inside)
        files |= {file.path: file for file in stored if file is not None}
    return files


def _stored_file(folder: SweepFolder, path: str) -> StoredFile | None:
    """Reads a checkpoint. A file on a disk is streamed, whatever its size; an object is read into memory if it fits."""
    place = folder.path / path
    try:
        if isinstance(place, Path):
            with open(open_file(place, os.O_RDONLY, folder.base), "rb") as file:
                return weights.read_checkpoint_file(path, file)
        return weights.read_checkpoint_file(path, read_bytes(place, bytes_max=psutil.virtual_memory().available // 2))
    except FileNotFoundError:
        return None
    except (ForeignFileError, IsADirectoryError, TooLargeError) as error:
        return StoredFile(path, error=str(error))
