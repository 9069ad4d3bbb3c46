"""A running sweep: which trial a free slot gets, what follows from a report, and when it is over.

Everything goes into the journal before anybody acts on it. No Ray: the Tune adapter and the tests drive it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from tuner.base.coupling import trained_params
from tuner.base.errors import StorageError, TunerError, UsageError, bounded_text
from tuner.base.outcomes import FailureCause, LossCause
from tuner.base.text import duration_text
from tuner.engine.ahead import is_soon_over, leaves_enough
from tuner.engine.assignments import assign
from tuner.engine.books import Books
from tuner.engine.bounds import LINE_CHARS_MAX, NOTES_MAX, bounded
from tuner.engine.budget import plateau, used_up
from tuner.engine.endings import TrialEnd, decided_end, failed_end, finished_text, too_many_infeasible
from tuner.engine.judging import judge
from tuner.engine.messages import Assignment, Failure, Report
from tuner.engine.objective import with_objective
from tuner.engine.parts import WHOLE, fewer_after_error, is_in_parts_after_kill, known_at_once, whole_text
from tuner.engine.retries import Retries, fewer_at_once, parts_text
from tuner.engine.stages import Stages
from tuner.policy import Policy
from tuner.spec import SweepSpec
from tuner.spec.feasible import num_feasible
from tuner.storage.journal import Journal
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

DECISIONS_KEPT = 10_000
"""How many decision times wait for `take_decisions_s` at most."""


class Coordinator:
    """Decides for a running sweep, and owns its books.

    Attributes:
        slots: how many trials train at the same time; the cluster sets it.
        waiting: how many live trials have no room yet, because others use the cluster; whoever places workers sets it.
        stopping: why no more work is given out; None while work is given out.
        end: the event that ends the sweep once the last slot is free; None for an interruption or a crash.
        lock: held during every change; take it to look from another thread.
    """

    def __init__(
        self,
        spec: SweepSpec,
        journal: Journal,
        log: Callable[[str], None],
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.spec = spec
        self._books = Books(spec, journal)
        self.lock = threading.RLock()
        self.slots = 0
        self.waiting = 0
        self._lacking: str | None = None
        self._decisions_s: deque[float] = deque(maxlen=DECISIONS_KEPT)
        self.live: dict[int, Assignment] = {}
        self._ahead: dict[int, int] = {}
        """Trial given out ahead -> the live trial after which its slot trains it."""
        self.stopping: str | None = None
        self.end: ev.SweepEnded | None = None
        self.fatal: TunerError | None = None
        """An error with which no trial can continue; the driver raises it."""
        self._log, self._note = log, note
        self._is_closed = self._has_left_out = False
        self._warned: set[str] = set()
        self.stages = Stages()
        """What workers do before a trial's first epoch; whoever has the workers says it."""
        self._retries = Retries(spec.failures.max_retries)
        self._end_what_was_decided()
        self._check_budget()
        self._queue = deque(trial.number for trial in self.sweep.unfinished)
        self._epochs_before, self._ended_before = self.sweep.num_epochs, len(self.sweep.ended_trials)

    @property
    def journal(self) -> Journal:
        return self._books.journal

    @property
    def sweep(self) -> Sweep:
        """Folded from the journal; take the lock to look from another thread."""
        return self._books.sweep

    @property
    def policy(self) -> Policy:
        return self._books.policy

    def _end_what_was_decided(self) -> None:
        """Ends trials whose end the last driver decided, but did not get into the journal."""
        for trial in list(self.sweep.unfinished):
            end = decided_end(self.sweep, trial, self.spec.failures.max_retries)
            if end is not None:
                self._end(trial, end)
        self._books.delete_left_over()

    def _end(self, trial: Trial, end: TrialEnd, *before: ev.AnyEvent) -> None:
        """Ends a trial, and the sweep if it has stopped improving."""
        self._books.end(trial, end, *before)
        if self.stopping is None and (over := plateau(self.spec.budget, self.sweep)) is not None:
            self.stop(over.reason, over)

    # Work for a slot

    @property
    def finished(self) -> bool:
        """Whether no trial runs and none will be given out."""
        return not self.live and (self.stopping is not None or self._is_complete)

    @property
    def _is_complete(self) -> bool:
        """Whether every trial of the sweep has ended. One that the journal did not take was never given out."""
        all_out = self.policy.exhausted or self.sweep.num_counted >= self.spec.num_trials
        return all_out and next(self.sweep.unfinished, None) is None

    def next_trial(self, ahead: Assignment | None = None) -> Assignment | None:
        """Work for a free slot, unfinished trials first; None when there is none now.

        Args:
            ahead: what the slot was given out ahead.
        """
        with self.lock:
            self.look_at_clock()
            self._check_budget()
            if self.stopping is not None or len(self.live) >= max(1, self.slots):
                return None  # with no slots, one trial still waits for a node: Tune's loop needs something to wait for
            assignment = ahead or self._next_assignment()
            if assignment is not None:
                self._ahead.pop(assignment.trial, None)
                self.live[assignment.trial] = assignment
            return assignment

    def _next_assignment(self) -> Assignment | None:
        trial = self.sweep.trials[self._queue.popleft()] if self._queue else self._books.suggest()
        if trial is None:
            return None
        values = ((epoch.epoch, self.sweep.value(epoch)) for epoch in trial.epochs)
        bar, patience = self._books.retention.bar, self.policy.patience
        params = trained_params(self.sweep.spec.get("space") or {}, trial.params)
        return assign(trial, self.spec.search.seed, self.policy.judged_at, bar, patience, values, params)

    def trial_ahead(self, trial: int) -> Assignment | None:
        """What the slot of a live trial trains after it, given out now; None if that is not certain, or too early."""
        with self.lock:
            if trial not in self.live or trial in self._ahead.values() or self.stopping is not None:
                return None
            is_certain = bool(self._queue) or self.policy.is_next_certain
            if (
                not is_certain
                or not is_soon_over(self.sweep.trials[trial])
                or not leaves_enough(self._num_left, self.slots)
            ):
                return None
            assignment = self._next_assignment()
            if assignment is not None:
                self._ahead[assignment.trial] = trial
            return assignment

    def give_back(self, trial: int) -> None:
        """A trial that was given out ahead has no slot: another one gets it."""
        with self.lock:
            if self._ahead.pop(trial, None) is not None:
                self._queue.appendleft(trial)

    # Reports of a slot

    def report(self, report: Report) -> bool:
        """Takes a worker's report; whether the worker continues with the trial."""
        heard_at = time.perf_counter()
        with self.lock:
            goes_on = self._take(report)
            self._decisions_s.append(time.perf_counter() - heard_at)
            return goes_on

    def _take(self, report: Report) -> bool:
        metric = self.spec.objective.metric
        report, left_out = bounded(with_objective(report, metric), metric)
        if left_out and not self._has_left_out:
            self._has_left_out = True  # said once: it is the same for every epoch
            self._tell(f"trial {report.trial}: {left_out}")
        for note in report.notes:
            self._tell(f"trial {report.trial}: {note}")
        for text in report.warnings:
            self._warn(report.trial, text)
        for saved in report.checkpoints:
            if saved.trial != report.trial:
                self._books.take_late_checkpoint(saved)
        trial = self.sweep.trials[report.trial]
        if trial.outcome is not None:
            return False
        failure = report.failure
        if failure is not None:
            self._log(f"trial {report.trial}, attempt {report.attempt}: {failure.traceback or failure.message}")
            if failure.cause in ("data", "code", "storage"):
                self._give_up(failure)
                return False
        goes_on = self._take_epochs(trial, report)
        if failure is not None and goes_on and failure.cause == "infeasible":
            self._end_infeasible(trial, failure.message)
        elif failure is not None and goes_on and (size := fewer_after_error(trial, failure.at_once)):
            reason = parts_text(failure.message, failure.at_once, size)
            self._go_on_in_parts(trial, report.attempt, reason, size)
        elif failure is not None and goes_on and failure.needs_whole and is_in_parts_after_kill(trial):
            self._go_on_in_parts(trial, report.attempt, whole_text(failure.message), WHOLE)
        elif failure is not None and goes_on:
            self._fail(trial, report.attempt, "memory" if failure.cause == "memory" else "error", failure.message)
        elif failure is not None and trial.outcome is not None:
            self._note(f"trial {report.trial} has ended, but its weights may be missing: {failure.message}")
        self._check_budget()
        return goes_on and failure is None and self.stopping is None

    def _end_infeasible(self, trial: Trial, reason: str) -> None:
        """Ends a trial whose code said that its configuration is infeasible; the sweep, if too many were in a row."""
        self._end(trial, TrialEnd("infeasible", reason))
        why = too_many_infeasible(self.sweep.ended_trials[self._ended_before :])
        if why:
            self.stop(why, ev.SweepEnded(reason=why, state="stopped"))

    def _go_on_in_parts(self, trial: Trial, attempt: int, reason: str, size: int) -> None:
        """Memory ran out: the next attempt trains the same batches in other parts, which uses up no retry."""
        reason = bounded_text(reason, LINE_CHARS_MAX)
        self._tell(f"trial {trial.number}: {reason}")
        self._books.append(
            ev.AttemptFailed(
                trial=trial.number, attempt=attempt, cause="memory", reason=reason, counts=False, micro_batch_size=size
            )
        )

    def _give_up(self, failure: Failure) -> None:
        """Stops the sweep at an error with which no trial can continue.

        The report's epochs are not taken and are trained again: a trial that ended with them would lack its weights.
        """
        is_storage = failure.cause == "storage"
        what = f"a checkpoint: {failure.message}" if is_storage else f"{failure.cause}: {failure.message}"
        self.fatal = StorageError(what) if is_storage else UsageError(what)
        self.stop(str(self.fatal))

    def _take_epochs(self, trial: Trial, report: Report) -> bool:
        """Journals what follows from a report, in one durable write; whether the trial continues."""
        judged = judge(self.policy, self.spec.objective.metric, trial, report)
        if judged.end is not None:
            self._end(trial, judged.end, *judged.events)
        elif judged.events:
            self._books.append(*judged.events)
        if judged.missing:
            self._fail(trial, report.attempt, "error", judged.missing)
        return judged.goes_on

    def lost(self, trial: int, cause: LossCause, reason: str, details: str = "") -> None:
        """The worker of a live trial is gone; the trial continues elsewhere while it has retries left.

        Args:
            cause: worker, memory, timeout, node (not the trial's fault), or retired (not a failure).
            details: what the cluster says about it, for the log.
        """
        with self.lock:
            assignment = self.live.get(trial)
            if assignment is None or self.sweep.trials[trial].outcome is not None:
                return
            self._log(f"trial {trial}, attempt {assignment.attempt}: {reason}. {bounded_text(details)}".rstrip(". "))
            if cause != "retired":
                lost = self.sweep.trials[trial]
                at_once = known_at_once(self.sweep, lost) if cause == "memory" else 0
                self._fail(lost, assignment.attempt, cause, reason, at_once)

    def release(self, trial: int) -> None:
        """The slot of this trial is free."""
        with self.lock:
            if self.live.pop(trial, None) is None or self.stopping is not None:
                return
            if self.sweep.trials[trial].outcome is None:
                self._queue.append(trial)

    def release_all(self) -> None:
        """All slots are free: Tune's loop has ended. If nobody asked it to, each live trial has lost an attempt."""
        for trial in list(self.live):
            if self.stopping is None:
                try:
                    self.lost(trial, "node", "Ray Tune's loop ended")
                except TunerError as error:  # the journal cannot be written: `resume` finds the trial unfinished
                    self.stop(str(error))
            self.release(trial)

    def restarted(self) -> Coordinator:
        """A new coordinator from the journal alone, for a new loop of the same driver."""
        again = Coordinator(self.spec, self.journal, self._log, self._note)
        again.slots, again._lacking = self.slots, self._lacking
        return again

    def _fail(self, trial: Trial, attempt: int, cause: FailureCause, reason: str, at_once: int = 0) -> None:
        """Takes a failed attempt; with `at_once` examples in memory, the next one trains with half of them."""
        reason = bounded_text(reason, LINE_CHARS_MAX)
        counts = self._retries.count(trial.number, cause)
        failed = ev.AttemptFailed(trial=trial.number, attempt=attempt, cause=cause, reason=reason, counts=counts)
        if counts and self._retries.ends_trial(trial.failures):
            self._end(trial, failed_end(cause, reason), failed)
        elif size := fewer_at_once(at_once):
            text = bounded_text(parts_text(reason, at_once, size), LINE_CHARS_MAX)
            self._tell(f"trial {trial.number}: {text}")
            self._books.append(replace(failed, reason=text, micro_batch_size=size))
        else:
            self._books.append(failed)
        why = self._retries.hopeless(self.sweep.num_epochs - self._epochs_before, reason)
        if why is not None:
            self.stop(why, ev.SweepEnded(reason=why, state="stopped"))

    # The end

    def stop(self, reason: str, end: ev.SweepEnded | None = None) -> None:
        """Gives out no more work and stops live trials at their next report; they stay unfinished."""
        with self.lock:
            if self.stopping is None:
                self.stopping, self.end = reason, end

    def close(self) -> None:
        """Journals how the sweep ended, or that the driver left it."""
        with self.lock:
            if self._is_complete and (self.end is None or self.end.state == "paused"):
                size = num_feasible(self.spec.feasible, self.spec.space)
                num_earlier = self.policy.num_earlier
                text = finished_text(self.spec.num_trials, self.sweep.num_counted, size, num_earlier)
                self.end = ev.SweepEnded(reason=text)
            last: ev.AnyEvent = self.end or ev.SweepInterruptedEvent(reason=self.stopping or "the driver left")
            self._books.append(last)
            self._is_closed = True

    def tidy(self) -> None:
        """After `close`: deletes files that nobody needs. Skipping this only costs disk space."""
        if self.end is not None and self.end.state != "paused":
            for text in self._books.retention.delete_orphans():
                self._note(text)
        self._books.retention.close()

    def _check_budget(self) -> None:
        if self.stopping is not None:
            return
        end = used_up(self.spec.budget, self.sweep, self.journal.clock.now())
        if end is not None:
            self.stop(end.reason, end)

    def look_at_clock(self) -> None:
        """Journals that the machine's clock was set since the last look; the time at work is not affected."""
        with self.lock:
            by_s = self.journal.clock.jumped_s()
            if by_s and not self._is_closed:
                self._books.append(ev.ClockJumped(by_s=round(by_s, 3)))
                self._tell(clock_text(by_s))

    def wall_s(self) -> float:
        """Seconds at work until now, over all drivers."""
        return self.sweep.wall_s + max(0.0, self.journal.clock.now() - self.sweep.spans[-1].last_at)

    def set_slots(self, slots: int, lacking: str = "") -> None:
        """Takes how many trials the cluster has room for. With none the sweep waits, and says what is lacking."""
        with self.lock:
            is_news = slots == 0 and lacking != self._lacking
            self._lacking = lacking if slots == 0 else None
            if slots != self.slots or not self.sweep.spans[-1].slots:
                self.slots = slots
                self._books.append(ev.SlotsChanged(slots=slots))
            if is_news:
                self._note(f"no node has room for a trial{lacking}: the sweep waits for one")

    @property
    def busy(self) -> int:
        """How many slots have a trial."""
        return min(max(0, len(self.live) - self.waiting), self.slots)

    def take_decisions_s(self) -> list[float]:
        """The seconds of each decision since the last call, oldest first."""
        with self.lock:
            taken = list(self._decisions_s)
            self._decisions_s.clear()
            return taken

    @property
    def wanted_slots(self) -> int:
        """How many trials would train now if there were room for all of them."""
        with self.lock:
            if self.stopping is not None:
                return 0
            return len(self.live) + len(self._ahead) + self._num_left

    @property
    def _num_left(self) -> int:
        """How many trials were not given out yet, or wait to be given out again."""
        new = 0 if self.policy.exhausted else max(0, self.spec.num_trials - self.sweep.num_counted)
        return len(self._queue) + new

    def _warn(self, trial: int, text: str) -> None:
        """Tells of a warning once, though every process prints it."""
        if text not in self._warned and len(self._warned) < NOTES_MAX:
            self._warned.add(text)
            self._tell(f"trial {trial} warns: {text}")

    def _tell(self, line: str) -> None:
        """Tells the log and the user."""
        self._log(line)
        self._note(line)


def clock_text(by_s: float) -> str:
    """The message about a clock that was set."""
    way = "forward" if by_s > 0 else "back"
    slept = ", or the machine slept" if by_s > 0 else ""
    return (
        f"this machine's clock was set {duration_text(abs(by_s))} {way}{slept}: budgets and timeouts do not count that;"
        f" times of day in the journal and in MLflow are off by it until the sweep is resumed"
    )
