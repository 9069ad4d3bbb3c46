"""Checks checkpoints: where attempts continued from, which files must exist, and whether they can be read."""

from __future__ import annotations

import io
from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from trainables.scripts.archive import ArchiveError, read_whole
from trainables.stored import StoredArrays, read_header
from tuner.review.verification.result import Findings
from tuner.spec.history import SpecHistory
from tuner.storage.names import is_checkpoint_path
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

CHECKPOINTS_TRIED = 3
"""An attempt that can read none of this many checkpoints starts over; the same number as in the engine."""


@dataclass(frozen=True)
class StoredFile:
    """A file below `checkpoints/` and its content; `error` says why it cannot be read."""

    path: str
    """Relative to the sweep's folder, with slashes."""
    epoch: int = 0
    best_epoch: int = 0
    num_state: int = 0
    """Number of arrays of the training state."""
    num_best: int = 0
    """Number of arrays of the best epoch's weights."""
    error: str = ""


def read_checkpoint_file(path: str, data: bytes | IO[bytes]) -> StoredFile:
    """Reads a whole checkpoint piece by piece: every array, with checksums, and without pickle."""
    if path.endswith(".tar"):
        return _read_archive(path, data)
    try:
        arrays = StoredArrays(io.BytesIO(data) if isinstance(data, bytes) else data)
        names = list(arrays.headers)
        for name in names:
            arrays.check(name)
        header = read_header(arrays)
        return StoredFile(
            path,
            int(header["epoch"]),
            int(header["best_epoch"]),
            sum(name.startswith("state_") for name in names),
            sum(name.startswith("best_") for name in names),
        )
    except Exception as error:  # whatever NumPy, zip and JSON raise for damaged bytes
        return StoredFile(path, error=f"{type(error).__name__}: {error}")


def _read_archive(path: str, data: bytes | IO[bytes]) -> StoredFile:
    """Reads a script's checkpoint; its files count as one array each, of state and of the best epoch."""
    try:
        header, epochs = read_whole(io.BytesIO(data) if isinstance(data, bytes) else data)
    except ArchiveError as error:
        return StoredFile(path, error=str(error))
    return StoredFile(
        path, header.epoch, header.best_epoch, int(header.epoch in epochs), int(header.best_epoch in epochs)
    )


def check_rework(events: Sequence[ev.AnyEvent], found: Findings) -> int:
    """Checks where each attempt after the first continued from; returns how many journalled epochs were retrained."""
    full: dict[int, list[ev.CheckpointSaved]] = {}
    epochs: dict[int, int] = {}
    again = 0
    for event in events:
        match event:
            case ev.CheckpointSaved() if event.kind == "full":
                full.setdefault(event.trial, []).append(event)
            case ev.EpochReported():
                epochs[event.trial] = max(event.epoch, epochs.get(event.trial, 0))
            case ev.TrialStarted() if event.attempt > 1:
                done = epochs.get(event.trial, 0)
                again += max(0, done - event.epoch)
                usable = [saved for saved in full.get(event.trial, ()) if saved.epoch <= done]
                readable = [s for s in usable[-CHECKPOINTS_TRIED:] if s.path not in event.passed_over]
                if readable and event.epoch < readable[-1].epoch:
                    newest = f"{readable[-1].path} is of epoch {readable[-1].epoch}"
                    where = f"trial {event.trial}, attempt {event.attempt}"
                    found.add("rework", f"{where}: continued from epoch {event.epoch}, but {newest}", "lost")
    return again


def check_paths(events: Sequence[ev.AnyEvent], found: Findings) -> None:
    """Checks that every checkpoint's path in an event is one that a worker can have written."""
    for event in events:
        if isinstance(event, ev.CheckpointSaved) and not is_checkpoint_path(event.path):
            found.add(
                "checkpoints",
                f"event {event.seq} names {event.path!r}, which is not the path of a checkpoint: not read",
            )


def kept_trials(events: Sequence[ev.AnyEvent], sweep: Sweep) -> list[int]:
    """The ended trials whose best weights are kept, the best first.

    These are the best `checkpoints.keep`, except trials that were beaten when `keep` was smaller: theirs were deleted.
    """
    history = SpecHistory()
    keep = 0
    ranked: list[tuple[float, int, int]] = []
    dropped: set[int] = set()
    for event in events:
        if history.take(event):
            keep = int(history.plain["checkpoints"]["keep"])
            dropped.update(number for *_, number in ranked[keep:])
        elif isinstance(event, ev.TrialEnded) and sweep.trials[event.trial].usable:
            insort(ranked, sweep.rank(sweep.trials[event.trial]))
            dropped.update(number for *_, number in ranked[keep : keep + 1])
    return [number for *_, number in ranked[:keep] if number not in dropped]


def check_files(sweep: Sweep, kept: Sequence[int], files: Mapping[str, StoredFile], found: Findings) -> int:
    """Checks that the required files exist and, after the sweep's end, no others; returns how many are required."""
    is_finished = sweep.ended is not None and sweep.ended.state == "finished"
    needed: set[str] = set()
    for trial in sweep.trials.values():
        if trial.outcome is None:
            needed |= _check_unfinished(trial, files, found)
        elif trial.number in kept:
            needed |= _check_kept(trial, files, is_finished, sweep.is_script, found)
        elif is_finished and trial.checkpoints:
            names = ", ".join(saved.path for saved in trial.checkpoints)
            found.add("checkpoints", f"trial {trial.number} is not among the best, but the journal keeps its {names}")
    if is_finished:
        for path in sorted(files.keys() - needed):
            found.add("checkpoints", f"{path} exists, but the finished sweep does not need it")
    return len(needed)


def _check_unfinished(trial: Trial, files: Mapping[str, StoredFile], found: Findings) -> set[str]:
    """An unfinished trial needs the newest checkpoint that it can continue from."""
    full = [saved for saved in trial.checkpoints if saved.kind == "full" and saved.epoch <= trial.epochs_trained]
    if full:
        _check_file(trial, full[-1], files, found)
    return {saved.path for saved in full}


def _check_kept(
    trial: Trial, files: Mapping[str, StoredFile], is_finished: bool, is_script: bool, found: Findings
) -> set[str]:
    """A kept trial needs its best epoch's weights, after the sweep's end in one file that holds nothing else."""
    best = [saved for saved in trial.checkpoints if saved.best_epoch == trial.best_epoch]
    if is_finished and [saved.kind for saved in trial.checkpoints] != ["best"] and not (is_script and not best):
        kinds = ", ".join(f"{saved.kind} of epoch {saved.epoch}" for saved in trial.checkpoints) or "none"
        found.add("checkpoints", f"trial {trial.number} must have one checkpoint of its best weights, but has {kinds}")
    if not best and is_script:
        return set()  # it reported none of that epoch
    if not best:
        message = f"trial {trial.number} is among the best, but no checkpoint has its best epoch {trial.best_epoch}"
        found.add("checkpoints", message, "lost")
        return set()
    _check_file(trial, best[-1], files, found)
    return {best[-1].path}


def _check_file(trial: Trial, saved: ev.CheckpointSaved, files: Mapping[str, StoredFile], found: Findings) -> None:
    """Checks that a journalled checkpoint exists, is complete, and matches the journal."""
    file = files.get(saved.path)
    if file is None:
        found.add("checkpoints", f"{saved.path} is missing, which trial {trial.number} needs", "lost")
        return
    if file.error:
        found.add("checkpoints", f"{saved.path} cannot be read: {file.error}", "lost")
        return
    if (file.epoch, file.best_epoch) != (saved.epoch, saved.best_epoch):
        has = f"epoch {file.epoch} with the best epoch {file.best_epoch}"
        said = f"epoch {saved.epoch} with {saved.best_epoch}"
        found.add("checkpoints", f"{saved.path} is of {has}, but the journal says {said}")
    has_weights = file.num_best or not any(other.num_best for other in files.values())  # a model may have none
    if (saved.kind == "full" and not file.num_state) or (saved.best_epoch and not has_weights):
        found.add("checkpoints", f"{saved.path} lacks arrays: {file.num_state} of state, {file.num_best} of best")
