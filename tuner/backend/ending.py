"""The end of a driver, all of it side by side: MLflow gets the rest, the report is written, Ray ends.

The end becomes a result or an error.
"""

from __future__ import annotations

import functools
import importlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tuner.backend import session
from tuner.backend.left import left, told
from tuner.backend.observer import Observer
from tuner.base.errors import NoUsableTrialError, SweepInterrupted
from tuner.base.hints import option
from tuner.engine.coordinator import Coordinator
from tuner.recording import RecorderProcess
from tuner.storage import SweepFolder, write_atomically
from tuner.storage.commands import program, storage_option
from tuner.sweep import Sweep

REPORT_WAITS_S = 30.0
"""How long a driver waits for the report once MLflow has everything."""


def with_way_on(what: str, again: str, *, is_begun: bool) -> str:
    """An error that can be mended, and the command that goes on then. A sweep that has begun keeps its code."""
    said = what if what.endswith(("?", ".")) else f"{what}."
    if not is_begun or not what.startswith("code: "):
        return f"{said} Once that is mended, go on with: {again}"
    way = f"{said} Once the code is mended, go on with: {again}, with {option('with_changed_code', True)}"
    if "objective.metric" not in what:
        return way
    return f"{way}. If the spec's objective is wrong, mend it and run it under another name ({option('name')})"


@dataclass(frozen=True)
class Ended:
    """How a driver ended: the folded sweep, and whether MLflow has all of it."""

    sweep: Sweep
    is_recorded: bool


@functools.cache
def foresee() -> None:
    """Imports what draws a report, beside the last trials: to be called once a slot gets no more work."""
    threading.Thread(target=_import_report, name="report").start()  # an exit in the midst of it would abort


def _import_report() -> None:
    with suppress(Exception):  # the report says why
        importlib.import_module("tuner.report").prepare()


def finish(
    coordinator: Coordinator, recorder: RecorderProcess, observer: Observer, log: Callable[[str], None]
) -> Ended:
    """Waits for the recorder, while the report is written and Ray ends; the coordinator has journalled the end.

    Raises:
        KeyboardInterrupt: the user did not wait after a sweep's end; the recorder goes on by itself.
    """
    report = threading.Thread(target=_write_report, args=[coordinator, log], name="report", daemon=True)
    try:
        ray = session.begin_leaving()
        coordinator.tidy()
        coordinator.journal.close()
        observer.phase("recording the rest in MLflow")
        report.start()
        with told(observer, lambda: left(coordinator.journal.folder, coordinator.sweep, report, ray)):
            is_recorded = recorder.finish()
            report.join(REPORT_WAITS_S)
            session.leave_ray()
    except KeyboardInterrupt:
        if report.is_alive():  # a process that exits while compiled code runs may abort
            report.join(REPORT_WAITS_S)
        if coordinator.sweep.ended is not None:
            raise
        is_recorded = False
    return Ended(coordinator.sweep, is_recorded)


def require_usable(sweep: Sweep, folder: SweepFolder, stopping: str | None, again: str) -> None:
    """Refuses a sweep that was interrupted, or that ended without a usable trial.

    Args:
        stopping: why the driver gave out no more work.
        again: the command that continues the sweep.

    Raises:
        SweepInterrupted: it can be resumed.
        NoUsableTrialError: no trial reached a usable value.
    """
    if sweep.ended is None:
        raise SweepInterrupted(f"sweep {sweep.name}: {stopping}; nothing is lost. Go on with it: {again}")
    if sweep.best is not None or sweep.ended.state == "paused":
        return
    why = sweep.ended.reason
    if sweep.ended.state == "finished":
        why += f"; the last one: {sweep.ended_trials[-1].reason}"
    if folder.driver_log.exists():
        why += f". All failures in full: {program()} logs {sweep.name}{storage_option(folder.root)}"
    raise NoUsableTrialError(f"sweep {sweep.name} ended without a usable trial: {why}")


def _write_report(coordinator: Coordinator, log: Callable[[str], None]) -> None:
    """Writes the page of an ended sweep. If it fails, the sweep is complete without it."""
    sweep, folder = coordinator.sweep, coordinator.journal.folder
    if sweep.ended is None:
        return
    try:
        from tuner.report import report_page  # which imports Altair

        page = report_page(sweep, sweep.ended.state, folder)
        write_atomically(folder.report, page.encode(), folder.base)
    except Exception as error:
        log(f"the report could not be written: {type(error).__name__}: {error}")
