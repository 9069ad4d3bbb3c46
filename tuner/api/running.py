"""Runs a driver in this process, for a program or a command."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainables.given import Given, giving
from tuner.api.progress import Lines, Progress
from tuner.base.errors import NameTakenError, SweepInterrupted, TrackingError, UsageError
from tuner.base.hints import option
from tuner.base.text import duration_text, metric_text, params_text
from tuner.processes import owned
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.commands import program, resume_command, storage_option
from tuner.sweep import Sweep, fold

if TYPE_CHECKING:
    from tuner.backend.driver import Changes
    from tuner.backend.ending import Ended
    from tuner.inspection.provenance import Accepted
    from tuner.spec import SweepSpec
    from tuner.storage.journal import History

_at_work = threading.Lock()
_running: dict[str, Progress] = {}
"""The display of the sweep that this process runs, by the URL of its folder."""


def progress_for(folder: SweepFolder, wanted: bool) -> Progress:
    """A display that suits where this process runs; one that shows nothing if none is wanted."""
    from tuner.api.notebook import Notebook, in_notebook

    if not wanted:
        return Progress(folder)
    if in_notebook():
        return Notebook(folder)
    if sys.stderr is not None and sys.stderr.isatty():
        from tuner.api.console import error_console
        from tuner.api.terminal import Terminal

        return Terminal(folder, error_console())
    return Lines(folder)


def check_accepted(accepted: Accepted, or_resume: bool) -> None:
    """Refuses what a new sweep has no use for.

    Raises:
        UsageError: changed code or data are accepted, but no earlier sweep is.
    """
    changed = "with_changed_code" if accepted.code else "with_changed_data" if accepted.data else None
    if changed is not None and not or_resume:
        without = f"has no meaning without {option('or_resume')}, as a new sweep takes what is there"
        raise UsageError(f"{option(changed)}: {without}")


def start_or_resume(
    spec: SweepSpec,
    root: StorageRoot,
    source: str,
    address: str | None,
    progress: Progress,
    or_resume: bool,
    accepted: Accepted,
    is_strict: bool = False,
) -> Ended:
    """Runs a new sweep to its end; with `or_resume`, resumes one that exists. Arguments and errors of `start_sweep`."""
    from tuner.backend.driver import resume_sweep, start_sweep
    from tuner.review.status import find_history
    from tuner.spec.changes import changes_between

    folder = root.sweep(spec.name)
    if not (or_resume and folder.exists()):
        try:
            return start_sweep(spec, root, source, address, progress, is_strict=is_strict)
        except NameTakenError:
            if not (or_resume and folder.exists()):  # else another driver has just made it
                raise
    known = find_history(root, spec.name)  # refuses an empty journal

    def changes(sweep: Sweep) -> dict[str, Any]:
        return changes_between(sweep.spec, spec, sweep.num_counted, source)

    return resume_sweep(folder, address, progress, changes, accepted, known)


def resume_sweep_of(
    folder: SweepFolder,
    address: str | None,
    progress: Progress,
    changes: Changes,
    accepted: Accepted,
    known: History | None = None,
) -> Ended:
    """Continues a sweep; `known` is its history as far as it was read. Raises as `resume_sweep`."""
    from tuner.backend.driver import resume_sweep

    return resume_sweep(folder, address, progress, changes, accepted, known)


def in_process(
    folder: SweepFolder, address: str | None, progress: Progress, given: Given | None, drive: Callable[[], Ended]
) -> Ended:
    """Runs a driver in the process of a program, and leaves the process as it was before.

    Raises:
        UsageError: this process already runs a sweep.
        SweepInterrupted: Ctrl-C, at any moment.
        TrackingError: the sweep has ended, but is not completely recorded in MLflow.
    """
    from tuner.backend.surroundings import restored

    if not _at_work.acquire(blocking=False):
        raise UsageError(
            f"sweep {folder.name}: this process runs sweep {_name_at_work()}; a process runs one at a time"
        )
    try:
        _running[folder.url] = progress
        with (
            restored(),
            owned(address, is_needed=given is not None),
            giving(given),
            as_interruption(folder, address),
            progress,
        ):
            ended = drive()
            progress.trained()
            progress.ended(last_line(ended.sweep))
        check_recorded(folder, ended)
        return ended
    finally:
        _running.pop(folder.url, None)
        _at_work.release()


def _name_at_work() -> str:
    return next((url.rpartition("/")[2] for url in _running), "another one")


def is_here(folder: SweepFolder) -> bool:
    """Whether this process itself runs the sweep."""
    return folder.url in _running


def stop_here(folder: SweepFolder, reason: str) -> None:
    """Stops the sweep that this process itself runs, in another thread, after the running epochs."""
    progress = _running.get(folder.url)
    coordinator = progress.coordinator if progress is not None else None
    if coordinator is None:
        raise UsageError(f"sweep {folder.name}: this process is starting or ending it; try again in a moment")
    coordinator.stop(reason)


@contextmanager
def as_interruption(folder: SweepFolder, address: str | None) -> Iterator[None]:
    """Turns Ctrl-C while no trial runs into an interruption of the sweep."""
    try:
        yield
    except KeyboardInterrupt:
        raise SweepInterrupted(f"sweep {folder.name}: {_interrupted(folder, address)}") from None


def _interrupted(folder: SweepFolder, address: str | None) -> str:
    """What Ctrl-C interrupted: the start of a sweep, or the recording of one that has ended."""
    from tuner.recording import missing
    from tuner.storage.journal import read_events

    if not folder.exists():
        return "interrupted before it was under way"
    events, where = read_events(folder), storage_option(folder.root)
    ended, what = fold(events).ended, missing(folder, events)
    if ended is None or not what.events:
        again = resume_command(folder.name, folder.root, address)
        return f"interrupted before it was under way; go on with: {again}"
    return f"{ended.reason}, but {what}. The journal has all; finish with: {program()} record {folder.name}{where}"


def check_recorded(folder: SweepFolder, ended: Ended) -> None:
    """Raises an error for a sweep that is not completely recorded in MLflow.

    Raises:
        TrackingError: the message says what is missing, and the command that records it.
    """
    from tuner.recording import missing
    from tuner.storage.journal import read_events

    if not ended.is_recorded:
        what = missing(folder, read_events(folder))
        raise TrackingError(
            f"sweep {folder.name}: {what}{f': {what.reason}' if what.reason else ''}. The journal has all; finish with:"
            f" {program()} record {folder.name}{storage_option(folder.root)}"
        )


def last_line(sweep: Sweep) -> str:
    """How a sweep ended, in one line."""
    end = sweep.ended.reason if sweep.ended is not None else "not ended"
    took = f"{sweep.name}: {end}, {sweep.num_epochs} epochs in {duration_text(sweep.wall_s)}"
    if (best := sweep.best) is None:
        return took
    at = f"{sweep.metric} {metric_text(best.best_value)}, trial {best.number}, epoch {best.best_epoch}"
    return f"{took}; best {at}: {params_text(best.params)}"
