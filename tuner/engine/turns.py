"""Who is at which trial: what is heard of workers, which of them hang, and what the death of one is put down to.

A turn is the time of one worker process, named by Tune's trial id: it trains trial after trial, and ends with its
process or when no work is left.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.base.outcomes import LossCause
from tuner.engine.coordinator import Coordinator
from tuner.engine.deaths import LOADING_S, cause_of_death, kernel_memory_kills
from tuner.engine.messages import Assignment, Report
from tuner.engine.stages import Stage

HANG_GRACE_S = 60.0
"""A worker ends itself when an epoch takes too long. One that cannot is killed this much later."""
KILLS_REMEMBERED = 5
"""A worker's death is noticed within this many looks at the kernel's count of memory kills."""


@dataclass
class _Worker:
    """The worker that is at a trial."""

    heard_at: float
    """When it last reported, or was given the trial."""
    actor: Any = None
    """Its handle; None before its first report."""
    node: str | None = None
    """Its node's address; None before its first report."""


class Turns:
    """The turns of a running sweep, between Tune's loop and the coordinator.

    Args:
        timeout_s: what an epoch may take; None for no limit.
        here: this machine's address.
        clock: seconds that only grow.
        memory_kills: how often this machine's kernel has killed a process for its memory.
        imported: whether processes are known to find TensorFlow imported.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        timeout_s: float | None,
        here: str,
        clock: Callable[[], float] = time.monotonic,
        memory_kills: Callable[[], int] = kernel_memory_kills,
        imported: Callable[[], bool] = lambda: False,
    ) -> None:
        self._coordinator, self._timeout_s, self._here = coordinator, timeout_s, here
        self._clock, self._count_kills = clock, memory_kills
        self._imported = imported
        self._trials: dict[str, int] = {}
        """Turn -> the trial that it is at."""
        self._ahead: dict[str, Assignment] = {}
        """Turn -> the trial that its worker begins by itself once the one that it is at is over."""
        self._workers: dict[int, _Worker] = {}
        """Trial -> its worker."""
        self._started_at: dict[str, float] = {}
        """Turn -> when it had its process, for which it may wait long. Tune's own time of that is by the wall clock,
        which somebody may set."""
        self._loaded: set[str] = set()
        """Turns whose worker has reported: it has TensorFlow and the data."""
        self._memory_kills = deque([memory_kills()], maxlen=KILLS_REMEMBERED)
        """The kernel's count at the last looks, oldest first."""
        self._loop_at = -math.inf
        """When Tune's loop last ran: while it does not, reports wait to be read, and silence means nothing."""
        self._suspects: set[int] = set()
        """Trials whose worker was silent for too long at the last look."""

    def start(self, turn: str) -> None:
        """The turn has its process."""
        self._started_at[turn] = self._clock()
        if turn in self._trials:
            self._coordinator.stages.enter(self._trials[turn], "tracing" if turn in self._loaded else self._loads)

    def assign(self, turn: str) -> Assignment | None:
        """What the worker of this turn does next; None if there is nothing now."""
        assignment = self._coordinator.next_trial(self._ahead.get(turn))
        if assignment is not None:
            self._ahead.pop(turn, None)
            self._trials[turn] = assignment.trial
            self._workers[assignment.trial] = _Worker(self._clock())
            is_new = turn not in self._started_at
            stage = "tracing" if turn in self._loaded else "starting" if is_new else self._loads
            self._coordinator.stages.enter(assignment.trial, stage)
        return assignment

    def look_ahead(self, turn: str) -> Assignment | None:
        """What the worker of this turn does after its trial, where that is certain and was not said before."""
        assignment = self._coordinator.trial_ahead(self._trials[turn])
        if assignment is not None:
            self._ahead[turn] = assignment
        return assignment

    def take_report(self, turn: str, report: Report, actor: Any) -> bool:
        """Takes a worker's report; whether the worker continues with its trial."""
        trial = self._trials[turn]
        self._loaded.add(turn)
        if report.trial != trial:
            self._coordinator.lost(trial, "node", "its worker went on with the trial before")
            return False
        if (loss := report.loss) is not None:
            self._loaded.discard(turn)
            self._coordinator.lost(trial, loss.cause, loss.reason, loss.details)
            return False
        if report.epochs:
            self._coordinator.stages.leave(trial)
        else:
            self._coordinator.stages.enter(trial, "tracing")
        goes_on = self._coordinator.report(report)
        self.note_alive(trial, actor, report.node)
        return goes_on

    def note_alive(self, trial: int, actor: Any, node: str) -> None:
        """This worker has the trial and has just shown that it lives."""
        self._workers[trial] = _Worker(self._clock(), actor, node)

    def close(self, turn: str, why_died: str | None = None) -> None:
        """The turn is over; `why_died` as of `end`."""
        self.end(turn, why_died)
        if (assignment := self._ahead.pop(turn, None)) is not None:
            self._coordinator.give_back(assignment.trial)

    def end(self, turn: str, why_died: str | None = None) -> None:
        """The worker of this turn has left its trial; `why_died` is what Ray says if its process is gone."""
        trial = self._trials.pop(turn, None)
        if trial is None:
            return
        worker = self._workers.pop(trial)
        self._coordinator.stages.leave(trial)
        if why_died is not None:
            cause, reason = self._cause(turn, worker, why_died)
            self._coordinator.lost(trial, cause, reason, why_died)
        self._coordinator.release(trial)

    @property
    def _loads(self) -> Stage:
        return "loading" if self._imported() else "importing"

    def note_loop(self) -> None:
        """Tune's loop runs: it has read what there was to read."""
        self._loop_at = self._clock()

    def look_at_memory_kills(self) -> None:
        """Remembers the kernel's count; called now and then."""
        self._memory_kills.append(self._count_kills())

    def hanging(self, looks_every_s: float) -> list[Any]:
        """The workers to kill: silent for too long at this look and the one before, while Tune's loop ran."""
        now = self._clock()
        if self._timeout_s is None or now - self._loop_at > looks_every_s:
            self._suspects = set()
            return []
        limit_s = self._timeout_s + HANG_GRACE_S
        workers = dict(self._workers)  # Tune's loop changes it in its own thread
        silent = {trial for trial, worker in workers.items() if now - worker.heard_at > limit_s}
        hanging = [workers[trial].actor for trial in silent & self._suspects]
        self._suspects = silent
        return [actor for actor in hanging if actor is not None]

    def _cause(self, turn: str, worker: _Worker, why_died: str) -> tuple[LossCause, str]:
        now = self._clock()
        is_here = worker.node in (None, self._here)  # one that has not reported yet may be here
        return cause_of_death(
            why_died,
            now - max(worker.heard_at, self._started_at.get(turn, now)),
            self._timeout_s,
            loading_s=0.0 if turn in self._loaded else LOADING_S,
            kernel_was_out_of_memory=is_here and self._count_kills() > self._memory_kills[0],
        )
