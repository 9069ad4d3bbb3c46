"""One driver's run of a sweep: the recorder, Ray, Tune's loop, and an orderly end whatever happens."""

from __future__ import annotations

import importlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from trainables.given import is_given, lookup
from trainables.importable import import_folder, is_importable
from trainables.sources import Sources
from tuner.backend import ending, head, local_ray, nodes, raylet, session, signals
from tuner.backend.driver_log import DriverLog
from tuner.backend.ending import Ended
from tuner.backend.observer import Observer
from tuner.base.errors import ServiceError, StorageError, TunerError, UsageError
from tuner.base.hints import is_command_line
from tuner.engine.coordinator import Coordinator
from tuner.engine.settings import WorkerSettings
from tuner.engine.slots import Slot
from tuner.inspection import Inspected
from tuner.policy import preload
from tuner.recording import RecorderProcess
from tuner.spec import SweepSpec
from tuner.storage.commands import resume_command
from tuner.storage.journal import Journal

FIT_STARTS = 3
"""If Tune's loop ends unexpectedly, a fresh one starts from the journal; this is how many there are at most."""
RECORDER_WAITS_S = 5.0
"""How long a driver that failed waits for the recorder, which goes on by itself."""
HYPEROPT_WAITS_S = 10.0
REMOVAL_WAITS_S = 30.0
"""How long it waits where the sweep's folder is removed next, which must not be read any more."""


class SweepRun:
    """Runs a sweep that is in its journal, with Ray started or not yet.

    Args:
        address: where Ray is, if it is not started yet.
        sources: the trainable's code, as the sweep's folder keeps it.
        works_in: the folder in which that code runs.
        is_new: whether the sweep is removed if an error ends it before its first trial.
    """

    def __init__(
        self,
        spec: SweepSpec,
        journal: Journal,
        inspected: Inspected,
        address: str | None,
        observer: Observer,
        sources: Sources | None = None,
        works_in: str = "",
        is_new: bool = False,
    ) -> None:
        self._spec, self._journal, self._data = spec, journal, inspected.data
        self._is_script = inspected.is_script
        self._sources, self._learned, self._works_in = sources, inspected.learned, works_in
        self._address, self._observer = address, observer
        self._folder = journal.folder
        self._log = DriverLog(self._folder, observer.note).write
        self._recorder = RecorderProcess(self._folder, self._tell)
        self._coordinator = Coordinator(spec, journal, self._log, observer.note)
        self._coordinator.stages.are_of_scripts = inspected.is_script
        self._is_training = False
        self._is_kept = not is_new
        self._recorder_is_done = False

    @property
    def never_began(self) -> bool:
        """Whether an error ended a new sweep before its first trial, and its recorder has ended, too."""
        return not self._is_worth_keeping and self._recorder_is_done

    @property
    def _is_worth_keeping(self) -> bool:
        return self._is_kept or bool(self._coordinator.sweep.trials)

    @property
    def _again(self) -> str:
        """The command that continues the sweep."""
        if not self._is_worth_keeping:
            again = "command" if is_command_line() else "call"
            return f"the same {again}, as the sweep had not begun"
        return resume_command(self._folder.name, self._folder.root, self._address)

    def run(self) -> Ended:
        """Runs trials until the sweep ends or is stopped, and journals which. Raises as `start_sweep`."""
        with signals.handled(self._on_signal):
            with self._left_on_error():
                self._run_trials()
                if self._coordinator.fatal is not None:
                    raise self._coordinator.fatal
                self._coordinator.close()
            ended = ending.finish(self._coordinator, self._recorder, self._observer, self._log)
            ending.require_usable(ended.sweep, self._folder, self._coordinator.stopping, self._again)
            return ended

    def _run_trials(self) -> None:
        try:
            self._recorder.start()
            if self._coordinator.finished:
                return
            if not session.has_ray():
                self._observer.phase("starting Ray")
                session.start_ray(self._address, self._observer.note, self._spec.requirements)
            local_ray.begin_sweep(self._folder)
            with head.watched(nodes.head_address(), self._lose_ray), raylet.watched(self._lose_ray):
                self._train()
        except KeyboardInterrupt:
            self._is_kept = True
            self._coordinator.stop("interrupted by the user")

    def _train(self) -> None:
        slot = Slot.of(self._spec.resources)
        found = nodes.cluster_nodes()
        self._coordinator.set_slots(slot.count(found), slot.lacking(found))
        threading.Thread(target=self._import_hyperopt, name="hyperopt", daemon=True).start()
        importlib.import_module("tuner.backend.tune_adapter")  # now, as a signal's handler must find it whole
        self._observer.training(self._coordinator)
        self._is_training = True
        try:
            self._fit(self._settings(slot))
        finally:
            self._is_training = False
            self._observer.trained()

    def _import_hyperopt(self) -> None:
        """Once an epoch is trained: the first suggestions do without, and its import would delay the first epoch."""
        until = time.monotonic() + HYPEROPT_WAITS_S
        while not self._coordinator.sweep.num_epochs and time.monotonic() < until:
            time.sleep(0.02)
        preload()

    def _fit(self, settings: WorkerSettings) -> None:
        """Runs Tune's loop; if it ends unexpectedly, a fresh one starts from the journal, FIT_STARTS in all."""
        from tuner.backend import tune_adapter
        from tuner.backend.handover import handed_over

        for start in range(1, FIT_STARTS + 1):
            try:
                with handed_over(settings, self._data) as common:
                    tune_adapter.fit(self._coordinator, common)
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
                if not self._restart():
                    return
                self._observer.training(self._coordinator)

    def _restart(self) -> bool:
        """Takes a coordinator made from the journal alone; False if the user has stopped the sweep meanwhile."""
        before = self._coordinator
        self._coordinator = before.restarted()
        if before.stopping is not None:
            self._coordinator.stop(before.stopping, before.end)
        return before.stopping is None

    def _settings(self, slot: Slot) -> WorkerSettings:
        return WorkerSettings(
            trainable=self._spec.trainable,
            data=self._spec.data,
            metric=self._spec.objective.metric,
            mode=self._spec.objective.mode,
            precision=self._spec.precision,
            jit_compile=self._spec.jit_compile_used,
            deterministic=self._spec.deterministic,
            takes_last=self._spec.patience is not None and not self._spec.patience.restore_best,
            folds=self._spec.folds,
            folds_seed=self._spec.search.seed,
            sweep=self._folder.url,
            slot=slot,
            is_script=self._is_script,
            command=tuple(self._spec.command or ()),
            samples_system=self._spec.tracking.system_metrics,
            trial_timeout_s=self._spec.failures.trial_timeout,
            memory_bytes=self._spec.failures.worker_memory,
            sources=self._sources,
            learned=self._learned,
            fixed_params=self._spec.space.fixed,
            work_folder=self._works_in,
            given=lookup(self._spec.trainable) if is_given(self._spec.trainable) else None,
            import_folder=import_folder(self._spec.trainable) if is_importable(self._spec.trainable) else None,
            environment=_storage_environment(),
        )

    def _on_signal(self, number: signal.Signals) -> None:
        """The first Ctrl-C lets running epochs end, the second does not wait; SIGTERM and SIGHUP do not wait either.

        While no trial runs, each is a KeyboardInterrupt.
        """
        if not self._is_training:
            raise KeyboardInterrupt
        self._is_kept = True
        is_first = self._coordinator.stopping is None
        self._coordinator.stop(f"interrupted by {number.name}")
        if number == signal.SIGINT and is_first:
            self._observer.phase("stopping after the running epochs; Ctrl-C again not to wait for them")
            return
        from tuner.backend import tune_adapter

        tune_adapter.stop_at_once()

    def _lose_ray(self, why: str) -> None:
        """Ends the process from the thread that watches Ray: Tune's loop waits for Ray, and never returns.

        Does not wait for the recorder, which goes on by itself: Ray ends this process within seconds.
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

    @contextmanager
    def _left_on_error(self) -> Iterator[None]:
        """Journals that the driver left if an error ends the run; what can be mended names the command to go on."""
        try:
            yield
        except KeyboardInterrupt:
            raise
        except TunerError as error:
            self._leave()
            is_storage = isinstance(error, StorageError)
            if error is not self._coordinator.fatal and not is_storage:
                raise
            kind = StorageError if is_storage else UsageError
            raise kind(ending.with_way_on(str(error), self._again, is_begun=self._is_worth_keeping)) from error
        except BaseException:
            self._leave()
            raise

    def _leave(self, recorder_s: float | None = None) -> None:
        """Journals that the driver left, if the journal still takes it."""
        if recorder_s is None:
            recorder_s = RECORDER_WAITS_S if self._is_worth_keeping else REMOVAL_WAITS_S
        try:
            self._coordinator.stop("the driver failed")
            self._coordinator.close()
        except (TunerError, OSError, ValueError) as error:
            self._log(f"the end could not be journalled: {error}")
        with suppress(TunerError, OSError):
            self._journal.close()
        self._recorder_is_done = self._recorder.finish(recorder_s)

    def _tell(self, line: str) -> None:
        """Tells the user, and the log, of something that the sweep continues after."""
        self._log(line)
        self._observer.note(line)


def _storage_environment() -> dict[str, str]:
    """What this process's environment says of object stores, for workers on other nodes."""
    names = (name for name in os.environ if name.startswith(("AWS_", "FSSPEC_")) or name == "GOOGLE_CLOUD_PROJECT")
    return {name: os.environ[name] for name in names}
