"""Ray Tune's Searcher, scheduler and stopper over a Coordinator: thin, and without a rule of their own.

Tune pickles them, so the coordinator is module state. An exception in an adapter is kept and ends the run in order.
Each attempt at a trial is one Tune trial.
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

from trainables.contract import Data
from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import WorkerSettings
from tuner.engine.resources import Slot
from tuner.engine.worker import KerasWorker

_F = TypeVar("_F", bound=Callable[..., Any])


class _Run:
    """What the adapters of the running `fit` share."""

    def __init__(self, coordinator: Coordinator) -> None:
        self.coordinator = coordinator
        self.trials: dict[str, int] = {}
        """Tune's trial id of a live attempt -> our trial number."""
        self.errors: dict[str, str] = {}
        """Tune's trial id of an attempt whose worker died -> what Ray says of it."""
        self.error: BaseException | None = None
        self.stop_at_once = False

    @property
    def must_stop(self) -> bool:
        return self.stop_at_once or self.error is not None


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
    """Gives a free slot the coordinator's next trial; an attempt that died makes its trial come again."""

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
        assignment = _run.coordinator.next_trial()
        if assignment is None:
            return Searcher.FINISHED if _run.coordinator.finished or _run.must_stop else None
        _run.trials[trial_id] = assignment.trial
        return {"assignment": assignment}

    @_guarded(otherwise=None)
    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        trial = _run.trials.pop(trial_id, None)
        if trial is None:
            return
        if error:
            _run.coordinator.lost(trial, _run.errors.pop(trial_id, ""))
        _run.coordinator.release(trial)


class JournalScheduler(FIFOScheduler):  # type: ignore[misc]
    """Tells the coordinator what a worker reports, and Tune what follows."""

    @_guarded(otherwise=TrialScheduler.STOP)
    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        goes_on = _run.coordinator.report(result["report"])
        decision: str = TrialScheduler.CONTINUE if goes_on and not _run.must_stop else TrialScheduler.STOP
        return decision

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """As FIFO does, but among the live trials instead of all that there were."""
        return next((trial for trial in tune_controller.get_live_trials() if trial.status == "PENDING"), None)

    @_guarded(otherwise=None)
    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        """Called before the Searcher hears of it, which is not told why."""
        if trial.error_file and os.path.exists(trial.error_file):
            with open(trial.error_file) as file:
                _run.errors[trial.trial_id] = file.read()


class DriverStopper(tune.Stopper):  # type: ignore[misc]
    """Ends `fit` when an adapter failed or the user is in a hurry."""

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return _run.must_stop


def fit(coordinator: Coordinator, settings: WorkerSettings, data: Data | None, slot: Slot) -> None:
    """Runs Tune until the coordinator has nothing more to do.

    Raises:
        Exception: what an adapter or Tune itself raised; the journal is sound whatever it was.
    """
    global _run
    _run = _Run(coordinator)
    for name in ("ray.tune", "ray.air", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    scratch = tempfile.mkdtemp(prefix="tuner-tune-")
    worker = tune.with_parameters(KerasWorker, settings=settings, data=data)
    try:
        tune.Tuner(
            tune.with_resources(worker, slot.resources),
            tune_config=tune.TuneConfig(
                num_samples=-1, search_alg=JournalSearcher(), scheduler=JournalScheduler(), reuse_actors=True
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,
                name=f"sweep-{time.time_ns()}",
                verbose=0,
                stop=DriverStopper(),
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        ).fit()
    finally:
        coordinator.release_all()
        shutil.rmtree(scratch, ignore_errors=True)
    if _run.error is not None:
        raise _run.error
