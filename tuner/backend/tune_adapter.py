"""Ray Tune's Searcher, scheduler and stopper over a Coordinator: thin, and without a rule of their own.

Tune pickles them, so the coordinator is module state. An exception in an adapter is kept and ends the run in order.
A Tune trial is a worker's turn: it is handed trial after trial, and ends with its process or when no work is left.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import ray
from ray import tune
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from trainables.contract import Data
from tuner.backend import local_ray
from tuner.backend.growth import Demand
from tuner.backend.session import cluster_nodes, node_address
from tuner.backend.telemetry import Telemetry
from tuner.backend.worker import LOADING_S, KerasWorker
from tuner.base.secrets import is_secret
from tuner.engine.coordinator import Coordinator
from tuner.engine.deaths import cause_of_death, kernel_memory_kills
from tuner.engine.messages import Assignment, Report, WorkerSettings
from tuner.engine.slots import Slot

_F = TypeVar("_F", bound=Callable[..., Any])

WATCH_EVERY_S = 3.0
HANG_GRACE_S = 60.0
"""A worker ends itself when an epoch takes too long; one that cannot is killed so much later."""


class _Run:
    """What the adapters of the running `fit` share."""

    def __init__(self, coordinator: Coordinator, timeout_s: float | None) -> None:
        self.coordinator = coordinator
        self.timeout_s = timeout_s
        self.trials: dict[str, int] = {}
        """Tune's trial id of a worker's turn -> the number of the trial that it is at."""
        self.ready: set[str] = set()
        """Tune's trial id of a turn whose worker has reported: it has TensorFlow and the data."""
        self.errors: dict[str, str] = {}
        """Tune's trial id of a turn whose worker died -> what Ray says of it."""
        self.started_at: dict[str, float] = {}
        """Tune's trial id of a turn -> when its worker was there; one may wait for a node for long. Tune's own time of
        that is by the wall clock, which may be set."""
        self.actors: dict[int, Any] = {}
        """Trial number -> its worker's handle."""
        self.heard_at: dict[int, float] = {}
        """Trial number -> when its worker was given something to do."""
        self.nodes: dict[int, str] = {}
        """Trial number -> the address of its worker's node."""
        self.here = node_address()
        self.memory_kills = deque([kernel_memory_kills()], maxlen=5)
        """Of this machine's kernel so far, at the last few looks."""
        self.loop_at = 0.0
        """When Tune's loop last came by: what nobody has read yet says nothing about a worker."""
        self.suspects: set[int] = set()
        self.error: BaseException | None = None
        self.stop_at_once = False

    @property
    def must_stop(self) -> bool:
        return self.stop_at_once or self.error is not None

    def begins(self, turn: str) -> Assignment | None:
        """What the worker of this turn does next; None when there is nothing now."""
        assignment = self.coordinator.next_trial()
        if assignment is not None:
            self.trials[turn] = assignment.trial
            self.heard_at[assignment.trial] = time.monotonic()
        return assignment

    def heard(self, turn: str, report: Report, actor: Any) -> bool:
        """Takes a worker's report; whether it goes on with its trial."""
        trial = self.trials[turn]
        self.ready.add(turn)
        if report.trial != trial:
            self.coordinator.lost(trial, "node", "its worker went on with the trial before")
            return False
        goes_on = self.coordinator.report(report)
        self.note_worker(trial, actor, report.node)
        return goes_on

    def note_worker(self, trial: int, actor: Any, node: str) -> None:
        """This worker has the trial, and showed that it lives."""
        self.heard_at[trial] = time.monotonic()
        self.actors[trial], self.nodes[trial] = actor, node

    def ends(self, turn: str, why_died: str | None = None) -> None:
        """The worker of this turn is at its trial no more; `why_died` is what Ray says if it is gone."""
        trial = self.trials.pop(turn, None)
        if trial is None:
            return
        now = time.monotonic()
        silent_s = now - max(self.heard_at.pop(trial, now), self.started_at.get(turn, now))
        self.actors.pop(trial, None)
        is_here = self.nodes.pop(trial, self.here) == self.here
        if why_died is not None:
            killed = is_here and kernel_memory_kills() > self.memory_kills[0]
            loading_s = 0.0 if turn in self.ready else LOADING_S
            cause, reason = cause_of_death(
                why_died, silent_s, self.timeout_s, loading_s=loading_s, kernel_was_out_of_memory=killed
            )
            self.coordinator.lost(trial, cause, reason, why_died)
        self.coordinator.release(trial)


_run: _Run


def stop_at_once() -> None:
    """Ends a running `fit` without waiting for reports."""
    if "_run" in globals():
        _run.stop_at_once = True


def _guarded(otherwise: Any) -> Callable[[_F], _F]:
    """Keeps an exception for the driver and answers `otherwise`."""

    def decorate(method: _F) -> _F:
        @functools.wraps(method)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except BaseException as error:
                _run.error = _run.error or error
                return otherwise

        return guarded  # type: ignore[return-value]

    return decorate


class JournalSearcher(Searcher):  # type: ignore[misc]
    """Gives a new worker the coordinator's next trial; an attempt that died makes its trial come again."""

    def __init__(self) -> None:
        super().__init__(metric=None, mode=None)

    def set_search_properties(self, metric: Any, mode: Any, config: Any, **spec: Any) -> bool:
        return True

    def save(self, checkpoint_path: str) -> None:
        """The journal has it all."""

    def restore(self, checkpoint_path: str) -> None:
        """The journal has it all."""

    @_guarded(otherwise=Searcher.FINISHED)
    def suggest(self, trial_id: str) -> Any:
        assignment = _run.begins(trial_id)
        if assignment is None:
            return Searcher.FINISHED if _run.coordinator.finished or _run.must_stop else None
        return {"assignment": assignment}

    @_guarded(otherwise=None)
    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        _run.ends(trial_id, _run.errors.pop(trial_id, "") if error else None)


class JournalScheduler(FIFOScheduler):  # type: ignore[misc]
    """Tells the coordinator what a worker reports, and the worker what follows."""

    @_guarded(otherwise=TrialScheduler.STOP)
    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> Any:
        turn, report, worker = trial.trial_id, result["report"], trial.temporary_state.ray_actor
        if _run.heard(turn, report, worker):
            return TrialScheduler.STOP if _run.must_stop else TrialScheduler.CONTINUE
        _run.ends(turn)
        assignment = None if _run.must_stop else _run.begins(turn)
        if assignment is None:
            return TrialScheduler.STOP
        worker.take.remote(assignment)  # an actor's tasks run in order: before the step that follows from CONTINUE
        _run.note_worker(assignment.trial, worker, report.node)
        return TrialScheduler.CONTINUE

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """As FIFO does, but among the live trials instead of all that there were."""
        live = tune_controller.get_live_trials()
        _run.coordinator.waiting = tune_controller._actor_manager.num_pending_actors
        if _run.coordinator.stopping is not None and not any(trial.status == "RUNNING" for trial in live):
            _run.stop_at_once = True  # what waits for a node would never report
        return next((trial for trial in live if trial.status == "PENDING"), None)

    @_guarded(otherwise=None)
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Called before the Searcher hears of it, which is not told why."""
        if trial.error_file and os.path.exists(trial.error_file):
            with open(trial.error_file) as file:
                _run.errors[trial.trial_id] = file.read()


class TurnStarts(tune.Callback):  # type: ignore[misc]
    """Notes when a turn has its worker."""

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        _run.started_at[trial.trial_id] = time.monotonic()


class NoReports(tune.ProgressReporter):  # type: ignore[misc]
    """Shows nothing; Tune's own reporter for notebooks would clear the output of the cell, ours among it."""

    def should_report(self, trials: Any, done: bool = False) -> bool:
        return False

    def report(self, trials: Any, done: bool, *sys_info: Any) -> None:
        """There is nothing to show."""


class DriverStopper(tune.Stopper):  # type: ignore[misc]
    """Ends `fit` when an adapter failed or the user is in a hurry."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        _run.loop_at = time.monotonic()
        return _run.must_stop


def fit(
    coordinator: Coordinator,
    settings: WorkerSettings,
    data: Data | None,
    worker: type[tune.Trainable] = KerasWorker,
) -> None:
    """Runs Tune until the coordinator has nothing more to do.

    Args:
        worker: what trains; benchmarks have one that does not.

    Raises:
        Exception: what an adapter or Tune itself raised; the journal is sound whatever it was.
    """
    global _run
    _run = _Run(coordinator, settings.trial_timeout_s)
    for name in ("ray.tune", "ray.air", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    scratch = tempfile.mkdtemp(prefix="tuner-tune-", dir=local_ray.scratch_folder())
    trainable = tune.with_parameters(worker, settings=settings, data=data)
    try:
        with _watch(_run, settings.slot), _deaths_of_any_kind(), _keys_out_of_sight():
            tune.Tuner(
                tune.with_resources(trainable, settings.slot.resources),
                tune_config=tune.TuneConfig(
                    num_samples=-1, search_alg=JournalSearcher(), scheduler=JournalScheduler(), reuse_actors=True
                ),
                run_config=tune.RunConfig(
                    storage_path=scratch,
                    name=f"sweep-{time.time_ns()}",
                    verbose=0,
                    callbacks=[TurnStarts()],
                    progress_reporter=NoReports(),
                    stop=DriverStopper(),
                    failure_config=tune.FailureConfig(max_failures=0),
                    checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # for a class it defaults to True
                ),
            ).fit()
    finally:
        coordinator.release_all()
        shutil.rmtree(scratch, ignore_errors=True)
    if _run.error is not None:
        raise _run.error


@contextmanager
def _watch(run: _Run, slot: Slot) -> Iterator[None]:
    """Follows the cluster's size, tells how the sweep stands, and ends workers that hang too hard to end themselves."""
    left = threading.Event()
    demand, telemetry = Demand(slot), Telemetry(run.coordinator)

    def watch() -> None:
        while not left.wait(WATCH_EVERY_S):
            try:
                slots = slot.count(nodes := cluster_nodes())
                run.coordinator.set_slots(slots, slot.lacking(nodes))
                run.coordinator.look_at_clock()
                demand.update(slots, run.coordinator.wanted_slots)
                run.memory_kills.append(kernel_memory_kills())
                _kill_hanging(run)
                local_ray.prune_outputs()
                with suppress(Exception):  # nothing that trains depends on it
                    telemetry.update()
            except ray.exceptions.RayError:
                continue  # the cluster is busy with itself
            except BaseException as error:
                run.error = run.error or error
                return

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(WATCH_EVERY_S)
        with suppress(Exception):
            telemetry.update()
        with suppress(ray.exceptions.RayError):
            demand.withdraw()


def _kill_hanging(run: _Run) -> None:
    """Ends workers that were silent for too long at two looks, while Tune's loop came by between them."""
    now = time.monotonic()
    if run.timeout_s is None or now - run.loop_at > WATCH_EVERY_S:
        run.suspects.clear()
        return
    limit_s = run.timeout_s + HANG_GRACE_S
    silent = {trial for trial, heard_at in list(run.heard_at.items()) if now - heard_at > limit_s}
    for trial in silent & run.suspects:
        actor = run.actors.get(trial)
        if actor is not None:
            ray.kill(actor, no_restart=True)
    run.suspects = silent


@contextmanager
def _keys_out_of_sight() -> Iterator[None]:
    """Tune copies AWS keys into the runtime environments of its actors, which Ray logs and shows in its dashboard.

    Workers are told them in their settings instead.
    """
    from ray.tune.execution import class_cache

    original = class_cache.ENV_VARS_TO_PROPAGATE
    class_cache.ENV_VARS_TO_PROPAGATE = {name for name in original if not is_secret(name, "")}
    try:
        yield
    finally:
        class_cache.ENV_VARS_TO_PROPAGATE = original


@contextmanager
def _deaths_of_any_kind() -> Iterator[None]:
    """Ray's memory monitor ends a worker with an OutOfMemoryError, which Tune takes for a fault of its own and stops.

    While trials run, Tune's actor manager is told of every such error as of the actor's death, which it is.
    """
    from ray.air.execution._internal.actor_manager import RayActorManager

    original = RayActorManager._actor_task_failed

    def actor_task_failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            text = f"{type(exception).__name__}: {exception}"
            exception = RayActorError(error_msg=text)
        original(self, tracked_actor_task, exception)

    RayActorManager._actor_task_failed = actor_task_failed
    try:
        yield
    finally:
        RayActorManager._actor_task_failed = original
