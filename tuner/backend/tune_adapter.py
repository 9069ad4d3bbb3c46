"""Ray Tune's Searcher, scheduler and stopper over a Coordinator: thin, and without a rule of their own.

Tune pickles them, so what they share is module state. An exception in an adapter is kept and ends the run in order.
A Tune trial is a worker's turn (see `tuner.engine.turns`).
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.backend import ending, local_ray, patches
from tuner.backend.nodes import node_address
from tuner.backend.watch import watched
from tuner.backend.worker import Common, Worker
from tuner.engine.coordinator import Coordinator
from tuner.engine.turns import Turns
from tuner.processes import own_server

_F = TypeVar("_F", bound=Callable[..., Any])


class _Run:
    """What the adapters of the running `fit` share."""

    def __init__(self, coordinator: Coordinator, turns: Turns) -> None:
        self.coordinator = coordinator
        self.turns = turns
        self.deaths: dict[str, str] = {}
        """Turn whose worker died -> what Ray says of it."""
        self.error: BaseException | None = None
        self.stop_at_once = False

    @property
    def must_stop(self) -> bool:
        return self.stop_at_once or self.error is not None

    def fail(self, error: BaseException) -> None:
        """Ends the run with this error, unless it ends with an earlier one."""
        self.error = self.error or error


_current: _Run | None = None
"""That of the running `fit`."""


def _run() -> _Run:
    assert _current is not None, "no fit is running"
    return _current


def stop_at_once() -> None:
    """Ends a running `fit` without waiting for reports."""
    if _current is not None:
        _current.stop_at_once = True


def _guarded(otherwise: Any) -> Callable[[_F], _F]:
    """Keeps an exception for the driver and answers `otherwise`."""

    def decorate(method: _F) -> _F:
        @functools.wraps(method)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return method(*args, **kwargs)
            except BaseException as error:
                _run().fail(error)
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
        assignment = _run().turns.assign(trial_id)
        if assignment is None:
            return Searcher.FINISHED if _run().coordinator.finished or _run().must_stop else None
        return {"assignment": assignment, "ahead": _run().turns.look_ahead(trial_id)}

    @_guarded(otherwise=None)
    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        _run().turns.close(trial_id, _run().deaths.pop(trial_id, "") if error else None)


class JournalScheduler(FIFOScheduler):  # type: ignore[misc]
    """Tells the coordinator what a worker reports, and the worker what follows."""

    @_guarded(otherwise=TrialScheduler.STOP)
    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> Any:
        turn, report, worker = trial.trial_id, result["report"], trial.temporary_state.ray_actor
        if _run().turns.take_report(turn, report, worker):
            if _run().must_stop:
                return TrialScheduler.STOP
            if (ahead := _run().turns.look_ahead(turn)) is not None:
                worker.look_ahead.remote(ahead)
            return TrialScheduler.CONTINUE
        _run().turns.end(turn)
        assignment = None if _run().must_stop else _run().turns.assign(turn)
        if assignment is None:
            ending.foresee()
            return TrialScheduler.STOP
        ahead = _run().turns.look_ahead(turn)
        worker.take.remote(assignment, ahead)  # an actor's tasks run in order: before the step that follows
        _run().turns.note_alive(assignment.trial, worker, report.node)
        return TrialScheduler.CONTINUE

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """As FIFO does, but among the live trials instead of all that there were."""
        live = tune_controller.get_live_trials()
        _run().coordinator.waiting = tune_controller._actor_manager.num_pending_actors
        if _run().coordinator.stopping is not None and not any(trial.status == "RUNNING" for trial in live):
            _run().stop_at_once = True  # what waits for a node would never report
        return next((trial for trial in live if trial.status == "PENDING"), None)

    @_guarded(otherwise=None)
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Called before the Searcher hears of it, which is not told why."""
        if trial.error_file and os.path.exists(trial.error_file):
            with open(trial.error_file) as file:
                _run().deaths[trial.trial_id] = file.read()


class TurnStarts(tune.Callback):  # type: ignore[misc]
    """Notes when a turn has its worker."""

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        _run().turns.start(trial.trial_id)


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
        _run().turns.note_loop()
        return _run().must_stop


def _is_imported() -> bool:
    server = own_server()
    return server is not None and local_ray.is_running() and server.is_ready


class Turn(tune.Trainable):  # type: ignore[misc]
    """What Tune takes for its trainable; its actors are of another class (`patches.with_slim_actors`)."""


def fit(coordinator: Coordinator, common: Common, worker: type = Worker) -> None:
    """Runs Tune until the coordinator has nothing more to do.

    Args:
        worker: the class of the actors; benchmarks have one that trains nothing.

    Raises:
        Exception: what an adapter or Tune itself raised; the journal is sound whatever it was.
    """
    global _current
    for name in ("ray.tune", "ray.air", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    scratch = tempfile.mkdtemp(prefix="tuner-tune-", dir=local_ray.scratch_folder())
    run = _current = _Run(
        coordinator, Turns(coordinator, common.trial_timeout_s, node_address(), imported=_is_imported)
    )
    try:
        with (
            watched(coordinator, run.turns, common.slot, run.fail),
            patches.with_memory_kills_as_deaths(),
            patches.without_counts_of_callbacks(),
            patches.with_slim_actors(worker, common),
        ):
            _tuner(tune.with_resources(Turn, common.slot.resources), scratch).fit()
    finally:
        _current = None
        coordinator.release_all()
        shutil.rmtree(scratch, ignore_errors=True)
    if run.error is not None:
        raise run.error


def _tuner(trainable: Any, scratch: str) -> tune.Tuner:
    """A Tuner that gets everything from the adapters; what Tune itself writes goes into `scratch`."""
    return tune.Tuner(
        trainable,
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
    )
