"""The driver: one sweep from its spec, or from its journal, to its end."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from trainables.given import is_given, lookup
from trainables.importable import import_folder, is_importable
from trainables.sources import Sources
from tuner.backend import growth, head, local_ray, raylet, session
from tuner.base.errors import (
    NoUsableTrialError,
    ServiceError,
    SpecError,
    StorageError,
    SweepInterrupted,
    TooLargeError,
    TunerError,
)
from tuner.base.secrets import redacted, unused_address
from tuner.base.versions import versions
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import WorkerSettings
from tuner.engine.slots import Slot, local_node, require_room
from tuner.inspection import Inspected, Inspection
from tuner.inspection.provenance import Accepted, TrainingCode, copied_files, resumed, resuming, starting, write_code
from tuner.policy import VERSION, preload
from tuner.recording import RecorderProcess, check_place
from tuner.recording.warmstart import read_sources, sources_text
from tuner.spec import SweepSpec, dump_yaml, spec_from_mapping
from tuner.spec.sharing import shared_folders, sharing_problems
from tuner.storage import StorageRoot, SweepFolder, open_log, read_bytes, write_atomically
from tuner.storage.commands import address_option, program, storage_option
from tuner.storage.journal import History, Journal, belonging_if_writable, create_sweep, discard_sweep, name_taken
from tuner.sweep import Sweep, with_changes
from tuner.sweep import events as ev

FIT_STARTS = 3
"""An unexpected end of Tune's loop starts a fresh one from the journal, so often at most."""
REPORT_WAITS_S = 30.0
"""How long a driver stays for the report once MLflow has all, and for the recorder of a sweep that never began."""
EDITED_SPEC = "spec.edited.yaml"
SPEC_BYTES_MAX = 16 << 20
"""Of a sweep's spec.yaml: a spec has 64 KiB, and may be a few times that once all of it is said."""


Changes = Callable[[Sweep], dict[str, Any]]


class Observer(Protocol):
    """Who watches a driver: the terminal, mostly."""

    def phase(self, text: str) -> None:
        """What the driver does before trials run, or after."""

    def note(self, text: str) -> None:
        """Something went otherwise than it should, and the sweep goes on."""

    def training(self, coordinator: Coordinator) -> None:
        """Trials run from now on; look at the coordinator under its lock."""

    def trained(self) -> None:
        """No trial runs any more."""

    def lost(self, text: str) -> None:
        """Ray is gone, and takes the process with it when this returns."""


@dataclass(frozen=True)
class Ended:
    """How a driver ended: the folded sweep, and whether MLflow has all of it."""

    sweep: Sweep
    is_recorded: bool


def start_sweep(spec: SweepSpec, root: StorageRoot, source: str, address: str | None, observer: Observer) -> Ended:
    """Runs a new sweep to its end.

    Raises:
        SpecError: the spec does not fit its trainable or its data, or it names earlier sweeps that do not exist.
        NameTakenError: there is such a sweep, or something else of that name.
        UsageError: there is no default tracking store in this root.
        SweepInterrupted: the user left; the sweep can be resumed.
        KeyboardInterrupt: the user left while no trial ran: before the sweep was under way, or after its end.
        NoUsableTrialError: no trial reached a usable value.
        ServiceError: storage or cluster refused.
    """
    folder = root.sweep(spec.name)
    if folder.is_taken:
        raise name_taken(folder)
    _ = spec.tracking.uri or root.default_tracking_uri  # if there is one
    if other := unused_address(spec.tracking.uri):
        observer.note(other)
    learned = _learn(spec, root, source, observer)
    observer.phase("checking the trainable")
    begins = starting(spec.trainable, observer.note)
    with _inspected(spec, folder, source, address, observer, begins, is_new=True) as (resolved, inspected):
        begins = begins.with_imported(spec.trainable, inspected.imported)
        started = ev.SweepStarted(
            spec=resolved.resolved(),
            versions=versions(),
            seed=resolved.search.seed,
            sweep_id=uuid.uuid4().hex,
            code=begins.manifest,
            data=inspected.digests,
            policy=VERSION,
        )
        files = copied_files(begins.new)
        journal = create_sweep(folder, dump_yaml(resolved.resolved()), started, learned, observer.phase, files)
        driver = _Driver(resolved, journal, inspected, address, observer, begins.sources, is_new=True)
        try:
            return driver.run()
        except Exception:
            if driver.never_began:
                discard_sweep(journal)
            raise
        finally:
            journal.close()


def _learn(spec: SweepSpec, root: StorageRoot, where: str, observer: Observer) -> list[ev.WarmStarted]:
    """What the sweep begins with knowing of earlier ones; what is left out of them is told."""
    if not spec.search.warm_start:
        return []
    observer.phase("reading earlier trials")
    sources = read_sources(spec, root, where)
    observer.note(f"warm start: {sources_text(spec, sources)}")
    return [source.event for source in sources]


def resume_sweep(
    folder: SweepFolder,
    address: str | None,
    observer: Observer,
    changes_for: Changes = lambda sweep: {},
    accepted: Accepted = Accepted(),  # noqa: B008 - it is frozen
    known: History | None = None,
) -> Ended:
    """Goes on with a sweep; one that is finished, and not changed, is returned as it is.

    Args:
        changes_for: what the folded sweep's spec is changed by, as path -> value (see `tuner.spec.changes`).
        accepted: whether it may go on with other code and data than it was trained with.
        known: what was read of its journal already.

    Raises:
        SweepHeldError: another driver is at work on it.
        MisplacedError: its folder is a copy, or was moved by itself.
        UsageError: its data were changed, or code of which no copy was kept.
        SpecError, SweepInterrupted, NoUsableTrialError, ServiceError: as `start_sweep`.
    """
    folder.check()
    known = known or History(folder).read_on()
    sweep = known.sweep
    check_place(folder, sweep)
    if _is_over(sweep, changes_for(sweep)):
        return Ended(sweep, is_recorded=True)
    journal = Journal(folder, on_wait=observer.phase, known=known)
    try:
        sweep = journal.sweep  # by now, as whoever had it until then may have gone on with it
        changes = changes_for(sweep)
        if _is_over(sweep, changes):
            return Ended(sweep, is_recorded=True)
        if what := _mended(folder, sweep.spec):
            observer.note(what)
        goes_on = resuming(folder, sweep, accepted, observer.note)
        spec = spec_from_mapping(with_changes(sweep.spec, changes))
        with _inspected(spec, folder, str(folder.spec), address, observer, goes_on) as (_, inspected):
            goes_on = goes_on.with_imported(spec.trainable, inspected.imported)
            event = resumed(goes_on, sweep, changes, inspected.digests, accepted, observer.note)
            event = msgspec.structs.replace(event, policy=VERSION, **belonging_if_writable(folder)._asdict())
            if goes_on.new is not None:
                write_code(folder, goes_on.new)
            journal.append(event)
            write_atomically(folder.spec, dump_yaml(spec.resolved()).encode(), folder.base)
            return _Driver(spec, journal, inspected, address, observer, goes_on.sources).run()
    finally:
        journal.close()


def _is_over(sweep: Sweep, changes: dict[str, Any]) -> bool:
    """Whether a resume has nothing to do."""
    return sweep.ended is not None and sweep.ended.state == "finished" and not changes


def _mended(folder: SweepFolder, spec: dict[str, Any]) -> str:
    """What is wrong with the sweep's spec.yaml, which only people read and which is written anew; empty if nothing."""
    try:
        written = read_bytes(folder.spec, folder.base, bytes_max=SPEC_BYTES_MAX)
    except FileNotFoundError:
        return f"{folder.spec} was missing: written anew from the journal"
    except TooLargeError as error:
        return f"{error}: written anew from the journal"
    complete = spec_from_mapping(spec).resolved()  # as a resume writes it: other fields may be said, in another order
    if written in (dump_yaml(spec).encode(), dump_yaml(complete).encode()):
        return ""
    edited = folder.path / EDITED_SPEC
    write_atomically(edited, written, folder.base)
    return (
        f"{folder.spec} was edited, but the journal's spec counts: written anew, yours is now {edited}; to change a"
        f" sweep, use resume --set, or run --or-resume with the changed spec"
    )


@contextmanager
def _inspected(
    spec: SweepSpec,
    folder: SweepFolder,
    source: str,
    address: str | None,
    observer: Observer,
    trains_with: TrainingCode,
    is_new: bool = False,
) -> Iterator[tuple[SweepSpec, Inspected]]:
    """The spec made complete from its trainable, and made sure that its trials have room and all nodes its files.

    Ray starts meanwhile where a child process looks at a user's file, and in any case before a new sweep has a folder.
    """
    inspection = Inspection(spec, trains_with.sources)
    slot = Slot.of(spec.resources)
    unshared: list[str] = []
    try:
        starts_own = session.is_local(address) and not session.has_ray()
        if starts_own:
            require_room(slot, slot.count([local_node()]))
        if inspection.in_background or not starts_own:
            observer.phase("starting Ray, while the trainable is checked")
            session.start_ray(address, observer.note)
            growth.check_room(slot)
            used = spec.model_copy(update={"storage": folder.root.url})
            unshared = sharing_problems(used, session.num_hosts(), shared_folders())
        inspected = inspection.result()
        if unshared:
            raise SpecError(source, [*inspected.problems, *unshared])
        resolved = inspected.resolve(spec, source)
        if is_new and not session.has_ray():
            observer.phase("starting Ray")
            session.start_ray(address, observer.note)
        yield resolved, inspected
    finally:
        inspection.cancel()
        session.leave_ray()


class _Driver:
    """One driver's life: recorder, Ray, Tune's loop, and an orderly end whatever happens."""

    def __init__(
        self,
        spec: SweepSpec,
        journal: Journal,
        inspected: Inspected,
        address: str | None,
        observer: Observer,
        sources: Sources | None = None,
        is_new: bool = False,
    ) -> None:
        self._spec, self._journal, self._data = spec, journal, inspected.data
        self._sources = sources
        self._address, self._observer = address, observer
        self._folder = journal.folder
        self._recorder = RecorderProcess(self._folder, self._tell)
        self._coordinator = Coordinator(spec, journal, self._log, observer.note)
        self._is_training = False
        self._has_told_log = False
        self._is_kept = not is_new
        self._recorder_is_done = False

    @property
    def never_began(self) -> bool:
        """Whether an error ended a new sweep before its first trial, and nobody is at work on it any more."""
        return not self._is_worth_keeping and self._recorder_is_done

    @property
    def _is_worth_keeping(self) -> bool:
        return self._is_kept or bool(self._coordinator.sweep.trials)

    @property
    def _again(self) -> str:
        """The command that goes on with the sweep."""
        if not self._is_worth_keeping:
            return "the same command, as the sweep had not begun"
        where = storage_option(self._folder.root) + address_option(self._address)
        return f"{program()} resume {self._folder.name}{where}"

    def run(self) -> Ended:
        with self._signals():
            try:
                self._recorder.start()
                if not self._coordinator.finished:
                    if not session.has_ray():
                        self._observer.phase("starting Ray")
                        session.start_ray(self._address, self._observer.note)
                    local_ray.begin_sweep(self._folder)
                    with head.watched(session.head_address(), self._lose_ray), raylet.watched(self._lose_ray):
                        self._train()
            except KeyboardInterrupt:
                self._is_kept = True
                self._coordinator.stop("interrupted by the user")
            except StorageError as error:
                self._leave()
                raise StorageError(f"{error}. Once that is mended, go on with: {self._again}") from error
            except BaseException:
                self._leave()
                raise
            return self._finish()

    def _train(self) -> None:
        slot = Slot.of(self._spec.resources)
        nodes = session.cluster_nodes()
        self._coordinator.set_slots(slot.count(nodes), slot.lacking(nodes))
        threading.Thread(target=preload, name="hyperopt", daemon=True).start()  # while workers start
        importlib.import_module(
            "tuner.backend.tune_adapter"
        )  # before signals are told to it: amidst its import it is none
        self._observer.training(self._coordinator)
        self._is_training = True
        try:
            self._fit(self._settings(slot))
        finally:
            self._is_training = False
            self._observer.trained()

    def _fit(self, settings: WorkerSettings) -> None:
        """Runs Tune's loop; one that ends unexpectedly is started again from the journal, a bounded number of times."""
        from tuner.backend import tune_adapter

        for start in range(1, FIT_STARTS + 1):
            try:
                tune_adapter.fit(self._coordinator, settings, self._data)
                return
            except (TunerError, KeyboardInterrupt):
                raise
            except Exception as error:
                what = f"Ray Tune's loop ended with {type(error).__name__}: {' '.join(str(error).split())[:300]}"
                self._log("".join(traceback.format_exception(error)))
                if self._coordinator.stopping is not None:
                    return  # it was to end anyway
                if start == FIT_STARTS:
                    raise ServiceError(f"{what}; nothing acknowledged is lost. Go on with: {self._again}") from error
                self._log(f"{what}; it is started again")
                self._observer.trained()
                before = self._coordinator
                self._coordinator = before.restarted()
                if before.stopping is not None:  # the user was quicker
                    self._coordinator.stop(before.stopping, before.end)
                    return
                self._observer.training(self._coordinator)

    def _lose_ray(self, why: str) -> None:
        """Ends the process, in the thread that watches Ray: Tune's loop waits in it, and never comes back.

        Does not wait for the recorder, which goes on by itself, as Ray is about to end the process.
        """
        self._observer.trained()
        with self._coordinator.lock:  # the loop journals nothing after the end
            try:
                self._coordinator.stop(why)
                self._leave(0.0)
                self._observer.lost(f"{why}; nothing acknowledged is lost. Go on with: {self._again}")
                local_ray.close_files()
            finally:
                os._exit(ServiceError.exit_code)

    def _settings(self, slot: Slot) -> WorkerSettings:
        return WorkerSettings(
            trainable=self._spec.trainable,
            data=self._spec.data,
            metric=self._spec.objective.metric,
            mode=self._spec.objective.mode,
            precision=self._spec.precision,
            sweep=self._folder.url,
            slot=slot,
            trial_timeout_s=self._spec.failures.trial_timeout,
            memory_bytes=self._spec.failures.worker_memory,
            sources=self._sources,
            given=lookup(self._spec.trainable) if is_given(self._spec.trainable) else None,
            import_folder=import_folder(self._spec.trainable) if is_importable(self._spec.trainable) else None,
            environment=session.storage_environment(),
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C lets running epochs end, the second does not wait; SIGTERM and SIGHUP do not wait either.

        While no trial runs, each is a KeyboardInterrupt. Under nohup SIGHUP stays ignored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
            numbers.remove(signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        if not self._is_training:
            raise KeyboardInterrupt
        self._is_kept = True
        is_first = self._coordinator.stopping is None
        self._coordinator.stop(f"interrupted by {signal.Signals(number).name}")
        if number != signal.SIGINT or not is_first:
            from tuner.backend import tune_adapter

            tune_adapter.stop_at_once()
        else:
            self._observer.phase("stopping after the running epochs; Ctrl-C again not to wait for them")

    def _finish(self) -> Ended:
        """Journals the end, lets the recorder catch up, and turns the end into a result or an error."""
        if self._coordinator.fatal is not None:
            self._leave()
            raise type(self._coordinator.fatal)(f"{self._coordinator.fatal}. Once that is mended: {self._again}")
        try:
            self._coordinator.close()
        except StorageError as error:
            self._leave()
            raise StorageError(f"{error}. Once that is mended, go on with: {self._again}") from error
        report = threading.Thread(target=self._write_report, name="report", daemon=True)
        try:
            self._coordinator.tidy()
            self._journal.close()
            self._observer.phase("recording the rest in MLflow")
            report.start()
            is_recorded = self._recorder.finish()
            report.join(REPORT_WAITS_S)
        except KeyboardInterrupt:  # the recorder goes on by itself
            if report.is_alive():  # Python's end amidst Matplotlib's own code is an abort
                report.join(REPORT_WAITS_S)
            if self._coordinator.sweep.ended is not None:
                raise
            is_recorded = False
        sweep = self._coordinator.sweep
        if sweep.ended is None:
            stopping = self._coordinator.stopping
            raise SweepInterrupted(f"sweep {sweep.name}: {stopping}; nothing is lost. Go on with it: {self._again}")
        if sweep.best is None and sweep.ended.state != "paused":
            why = sweep.ended.reason
            if sweep.ended.state == "finished":
                why += f"; the last one: {sweep.ended_trials[-1].reason}"
            if self._folder.driver_log.exists():
                why += f". All failures in full: {program()} logs {sweep.name}{storage_option(self._folder.root)}"
            raise NoUsableTrialError(f"sweep {sweep.name} ended without a usable trial: {why}")
        return Ended(sweep, is_recorded)

    def _write_report(self) -> None:
        """Writes the page about an ended sweep while the recorder catches up; without it nothing is missing."""
        sweep = self._coordinator.sweep
        if sweep.ended is None:
            return
        try:
            from tuner.report import report_page  # which imports Matplotlib

            page = report_page(sweep, sweep.ended.state)
            write_atomically(self._folder.report, page.encode(), self._folder.base)
        except Exception as error:
            self._log(f"the report could not be written: {type(error).__name__}: {error}")

    def _leave(self, recorder_s: float | None = None) -> None:
        """After an error: says in the journal that the driver left, if that can still be said."""
        if recorder_s is None:  # what is to be removed must not be read any more
            recorder_s = 5.0 if self._is_worth_keeping else REPORT_WAITS_S
        try:
            self._coordinator.stop("the driver failed")
            self._coordinator.close()
        except (TunerError, OSError, ValueError) as error:
            self._log(f"the end could not be journalled: {error}")
        with suppress(TunerError, OSError):
            self._journal.close()
        self._recorder_is_done = self._recorder.finish(recorder_s)

    def _tell(self, line: str) -> None:
        """What the sweep goes on with: to the user, and into the log."""
        self._log(line)
        self._observer.note(line)

    def _log(self, line: str) -> None:
        try:
            with open_log(self._folder.driver_log, self._folder.base) as file:
                text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {redacted(line.rstrip())}\n"
                file.write(text.encode("utf-8", errors="backslashreplace"))
        except OSError:
            pass  # a full disk, most likely: the journal or a checkpoint meets it, too, and says so
        except StorageError as error:  # a link that was put there since the driver's start
            if not self._has_told_log:
                self._has_told_log = True
                self._observer.note(f"nothing is logged: {error}")
