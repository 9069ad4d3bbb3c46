"""The rules of a running sweep: which trial a free slot gets, what follows from a report, and when it is over.

Everything goes into the journal before anybody acts on it. No Ray: the Tune adapter and the tests drive it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import numpy as np

from tuner.base.errors import StorageError, TunerError, UsageError, bounded_text
from tuner.base.outcomes import FailureCause, LossCause, Outcome
from tuner.base.text import duration_text
from tuner.engine.bounds import LINE_CHARS_MAX, bounded
from tuner.engine.budget import plateau, used_up
from tuner.engine.messages import Assignment, Failure, Report
from tuner.engine.replay import replay, suggested_event
from tuner.engine.retention import Retention
from tuner.policy import STOP
from tuner.spec import SweepSpec
from tuner.storage.journal import Journal
from tuner.sweep import Trial, objective_value
from tuner.sweep import events as ev

CHECKPOINTS_TRIED = 3
"""A retry goes on from the newest sound one of so many, or from the start."""
HOPELESS_FAILURES = 10
"""After so many failed trials since the driver's start, and not one epoch, the sweep ends."""
DECISIONS_KEPT = 10_000
"""How many times of decisions wait for somebody who takes them."""
LOSSES_FORGIVEN = 10
"""A trial that goes down with its machine so often is suspected to be the reason."""


class Coordinator:
    """Owns the journal, the policy and the folded sweep while a driver runs.

    Attributes:
        slots: how many trials train at the same time; the cluster sets it.
        waiting: how many live trials have no room yet, as others use the cluster; whoever places workers sets it.
        stopping: why no more work is given out; None while it is.
        end: the event that ends the sweep once the last slot is free; None for an interruption or a crash.
        lock: held while anything changes; take it to look from another thread.
    """

    def __init__(
        self,
        spec: SweepSpec,
        journal: Journal,
        log: Callable[[str], None],
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.spec = spec
        self.journal = journal
        self.sweep = journal.sweep
        self.policy = replay(spec, journal.events)
        self.lock = threading.RLock()
        self.slots = 0
        self.waiting = 0
        self._lacking: str | None = None
        self._decisions_s: deque[float] = deque(maxlen=DECISIONS_KEPT)
        self.live: dict[int, Assignment] = {}
        self.stopping: str | None = None
        self.end: ev.SweepEnded | None = None
        self.fatal: TunerError | None = None
        """What no trial can go on with; the driver raises it."""
        self._log, self._note = log, note
        self._is_closed = self._has_left_out = False
        self._forgiven: Counter[int] = Counter()
        self._retention = Retention(journal.folder, spec.checkpoints.keep, self.sweep)
        self._end_what_was_decided()
        self._check_budget()
        self._queue = deque(trial.number for trial in self.sweep.unfinished)
        self._failed_here = 0
        self._epochs_before = self.sweep.num_epochs

    def _end_what_was_decided(self) -> None:
        """Ends trials whose end was decided, but whose `trial_ended` the driver before did not get onto the disk."""
        for trial in list(self.sweep.unfinished):
            if trial.epochs and trial.epochs[-1].decision == STOP:
                last = trial.epochs[-1]
                is_finite = math.isfinite(self.sweep.value(last))
                is_whole = last.epoch >= trial.epochs_max
                self._end(
                    trial,
                    "completed" if is_whole and is_finite else "stopped" if is_finite else "diverged",
                    last.reason,
                )
            elif trial.last_failure is not None and trial.failures > self.spec.failures.max_retries:
                failure = trial.last_failure
                self._end(trial, "out_of_memory" if failure.cause == "memory" else "failed", failure.reason)
        for trial, keeps_best in self._retention.left_over():
            self._let_go(trial, keeps_best)

    def _end(self, trial: Trial, outcome: Outcome, reason: str, *before: ev.AnyEvent) -> None:
        """Journals a trial's end, in one write with what led to it, and lets go of checkpoints that nobody needs."""
        self.policy.close(trial.number, outcome)
        self._append(*before, ev.TrialEnded(trial=trial.number, outcome=outcome, reason=reason))
        for other, keeps_best in self._retention.ended(trial):
            self._let_go(other, keeps_best)
        if self.stopping is None and (end := plateau(self.spec.budget, self.sweep)) is not None:
            self.stop(end.reason, end)

    def _let_go(self, trial: Trial, keeps_best: bool) -> None:
        """Deletes checkpoints that an ended trial needs no longer; the journal knows before the disk does."""
        if trial.checkpoints:
            self._append(ev.CheckpointsDeleted(trial=trial.number, keeps_best=keeps_best))
        self._retention.delete(trial)

    # What a slot asks

    @property
    def finished(self) -> bool:
        """Whether no trial is live and none will be given out."""
        return not self.live and (self.stopping is not None or self._is_complete)

    @property
    def _is_complete(self) -> bool:
        """Whether every trial that there will be has ended. One that the journal did not take was never given out."""
        all_out = self.policy.exhausted or len(self.sweep.trials) >= self.spec.num_trials
        return all_out and next(self.sweep.unfinished, None) is None

    def next_trial(self) -> Assignment | None:
        """Work for a free slot, unfinished trials first; None when there is none now."""
        with self.lock:
            self.look_at_clock()
            self._check_budget()
            if self.stopping is not None or len(self.live) >= max(1, self.slots):
                return None  # without a slot one trial waits for a node: Tune's loop must have something to wait for
            number = self._queue.popleft() if self._queue else self._suggest()
            if number is None:
                return None
            assignment = self._assignment(self.sweep.trials[number])
            self.live[number] = assignment
            return assignment

    def _suggest(self) -> int | None:
        suggestion = self.policy.ask()
        if suggestion is None:
            return None
        self._append(suggested_event(suggestion))
        return suggestion.trial

    def _assignment(self, trial: Trial) -> Assignment:
        full = [saved for saved in trial.checkpoints if saved.kind == "full" and saved.epoch <= trial.epochs_trained]
        usable = sorted(reversed(full), key=lambda saved: -saved.epoch)
        return Assignment(
            trial=trial.number,
            attempt=trial.attempts + 1,
            params=trial.params,
            seed=training_seed(self.spec.search.seed, trial.number),
            epochs_max=trial.epochs_max,
            judged_at=self.policy.judged_at,
            checkpoints=tuple(saved.path for saved in usable[:CHECKPOINTS_TRIED]),
            keep_above=self._retention.bar,
        )

    # What a slot says

    def report(self, report: Report) -> bool:
        """Takes a worker's report; whether the worker goes on with the trial."""
        heard_at = time.perf_counter()
        with self.lock:
            goes_on = self._take(report)
            self._decisions_s.append(time.perf_counter() - heard_at)
            return goes_on

    def _take(self, report: Report) -> bool:
        report, left_out = bounded(report, self.spec.objective.metric)
        if left_out and not self._has_left_out:
            self._has_left_out = True  # told once: it is the same of each epoch
            self._log(f"trial {report.trial}: {left_out}")
            self._note(f"trial {report.trial}: {left_out}")
        for note in report.notes:
            self._log(f"trial {report.trial}: {note}")
            self._note(f"trial {report.trial}: {note}")
        self._take_late_checkpoints(report)
        trial = self.sweep.trials[report.trial]
        if trial.outcome is not None:
            return False
        failure = report.failure
        if failure is not None:
            self._log(f"trial {report.trial}, attempt {report.attempt}: {failure.traceback}")
            if failure.cause in ("data", "code", "storage"):
                self._give_up(failure)
                return False
        goes_on = self._take_epochs(trial, report)
        if failure is not None and goes_on:
            self._fail(trial, report.attempt, "memory" if failure.cause == "memory" else "error", failure.message)
        elif failure is not None and trial.outcome is not None:
            self._note(f"trial {report.trial} has ended, but its weights may be missing: {failure.message}")
        self._check_budget()
        return goes_on and failure is None and self.stopping is None

    def _give_up(self, failure: Failure) -> None:
        """Stops the sweep at what no trial can go on with. Epochs that came with it are trained again: an end among
        them would be one without its weights."""
        is_storage = failure.cause == "storage"
        what = f"a checkpoint: {failure.message}" if is_storage else f"{failure.cause}: {failure.message}"
        self.fatal = StorageError(what) if is_storage else UsageError(what)
        self.stop(str(self.fatal))

    def _take_late_checkpoints(self, report: Report) -> None:
        """Those of the worker's trial before. If that one has ended since, nobody needs them."""
        for saved in report.checkpoints:
            if saved.trial != report.trial:
                other = self.sweep.trials[saved.trial]
                if other.outcome is None:
                    self._append(saved.event)
                else:
                    self._retention.delete(other)

    def _take_epochs(self, trial: Trial, report: Report) -> bool:
        """Journals an attempt's start, new epochs, the policy's decisions and checkpoints, in one durable write."""
        batch: list[ev.AnyEvent] = [] if report.started is None else [report.started]
        missing = ""
        outcome: tuple[Outcome, str] | None = None
        final = trial.epochs_trained
        for epoch in report.epochs:
            if epoch.epoch <= final:
                continue  # rework after a crash: the journal has this epoch already
            if self.spec.objective.metric not in epoch.metrics:
                missing = f"no metric {self.spec.objective.metric!r} after epoch {epoch.epoch}: {sorted(epoch.metrics)}"
                break
            value = objective_value(epoch.metrics, self.spec.objective.metric)
            decision = self.policy.tell(trial.number, epoch.epoch, value)
            batch.append(
                ev.EpochReported(
                    trial=trial.number,
                    attempt=report.attempt,
                    epoch=epoch.epoch,
                    metrics=epoch.metrics,
                    epoch_s=epoch.epoch_s,
                    decision=decision.action,
                    reason=decision.reason,
                )
            )
            if decision.action == STOP:
                outcome = (decision.outcome or "stopped", decision.reason)
                break
        batch += [saved.event for saved in report.checkpoints if saved.trial == trial.number]
        if outcome is not None:
            self._end(trial, *outcome, *batch)
        elif batch:
            self._append(*batch)
        if missing:
            self._fail(trial, report.attempt, "error", missing)
        return outcome is None and not missing

    def lost(self, trial: int, cause: LossCause, reason: str, details: str = "") -> None:
        """The worker of a live trial is gone; the trial goes on elsewhere while it has retries left.

        Args:
            cause: worker, memory, timeout, node (which the trial is not to blame for), or retired (no failure at all).
            details: what the cluster says of it, for the log.
        """
        with self.lock:
            assignment = self.live.get(trial)
            if assignment is None or self.sweep.trials[trial].outcome is not None:
                return
            self._log(f"trial {trial}, attempt {assignment.attempt}: {reason}. {bounded_text(details)}".rstrip(". "))
            if cause != "retired":
                self._fail(self.sweep.trials[trial], assignment.attempt, cause, reason)

    def release(self, trial: int) -> None:
        """The slot of this trial is free."""
        with self.lock:
            if self.live.pop(trial, None) is None or self.stopping is not None:
                return
            if self.sweep.trials[trial].outcome is None:
                self._queue.append(trial)

    def release_all(self) -> None:
        """All slots are free: Tune has left. If it was not asked to, each live trial has lost an attempt."""
        for trial in list(self.live):
            if self.stopping is None:
                try:
                    self.lost(trial, "node", "Ray Tune's loop ended")
                except TunerError as error:  # the journal takes nothing: `resume` finds the trial unfinished
                    self.stop(str(error))
            self.release(trial)

    def restarted(self) -> Coordinator:
        """A new coordinator from the journal alone, for a new loop in the same driver."""
        again = Coordinator(self.spec, self.journal, self._log, self._note)
        again.slots, again._lacking = self.slots, self._lacking
        return again

    def _fail(self, trial: Trial, attempt: int, cause: FailureCause, reason: str) -> None:
        reason = bounded_text(reason, LINE_CHARS_MAX)
        counts = cause != "node" or self._forgiven[trial.number] >= LOSSES_FORGIVEN
        self._forgiven[trial.number] += not counts
        failed = ev.AttemptFailed(trial=trial.number, attempt=attempt, cause=cause, reason=reason, counts=counts)
        if counts and trial.failures >= self.spec.failures.max_retries:
            self._failed_here += 1
            self._end(trial, "out_of_memory" if cause == "memory" else "failed", reason, failed)
        else:
            self._append(failed)
        if self._failed_here >= HOPELESS_FAILURES and self.sweep.num_epochs == self._epochs_before:
            message = f"the first {self._failed_here} trials failed and none trained an epoch; the last one: {reason}"
            self.stop(message, ev.SweepEnded(reason=message, state="stopped"))

    # The end

    def stop(self, reason: str, end: ev.SweepEnded | None = None) -> None:
        """Gives out no more work and stops live trials at their next report; they stay unfinished."""
        with self.lock:
            if self.stopping is None:
                self.stopping, self.end = reason, end

    def close(self) -> None:
        """Journals how the sweep ended, or that it was left."""
        with self.lock:
            if self._is_complete and (self.end is None or self.end.state == "paused"):
                self.end = ev.SweepEnded(reason=self._why_finished())
            last: ev.AnyEvent = self.end or ev.SweepInterruptedEvent(reason=self.stopping or "the driver left")
            self._append(last)
            self._is_closed = True

    def tidy(self) -> None:
        """After `close`: deletes what nobody needs. Left out, it costs room, no more."""
        if self.end is not None and self.end.state != "paused":
            for told in self._retention.delete_orphans():
                self._note(told)
        self._retention.close()

    def _why_finished(self) -> str:
        if self.policy.num_suggested < self.spec.num_trials:
            size = self.spec.space.size() or self.policy.num_suggested  # trials of wider ranges may be none of it
            what = (
                "1 configuration only, and it was" if size == 1 else f"{size} configurations only, and all of them were"
            )
            return f"the space has {what} tried"
        return f"all {self.spec.num_trials} trials ended"

    def _check_budget(self) -> None:
        if (
            self.stopping is None
            and (end := used_up(self.spec.budget, self.sweep, self.journal.clock.now())) is not None
        ):
            self.stop(end.reason, end)

    def look_at_clock(self) -> None:
        """Notes that somebody set the machine's clock since the last look; time at work does not follow it."""
        with self.lock:
            by_s = self.journal.clock.jumped_s()
            if by_s and not self._is_closed:
                self._append(ev.ClockJumped(by_s=round(by_s, 3)))
                text = clock_text(by_s)
                self._log(text)
                self._note(text)

    def wall_s(self) -> float:
        """Seconds at work until now, over all drivers."""
        return self.sweep.wall_s + max(0.0, self.journal.clock.now() - self.sweep.spans[-1].last_at)

    def set_slots(self, slots: int, lacking: str = "") -> None:
        """Takes what the cluster has room for; with none the sweep waits, and says so when what is lacking changes."""
        with self.lock:
            is_news = slots == 0 and lacking != self._lacking
            self._lacking = lacking if slots == 0 else None
            if slots != self.slots or not self.sweep.spans[-1].slots:
                self.slots = slots
                self._append(ev.SlotsChanged(slots=slots))
            if is_news:
                self._note(f"no node has room for a trial{lacking}: the sweep waits for one")

    @property
    def busy(self) -> int:
        """How many slots have a trial."""
        return min(max(0, len(self.live) - self.waiting), self.slots)

    def take_decisions_s(self) -> list[float]:
        """The seconds that decisions took since they were last asked for, oldest first."""
        with self.lock:
            taken = list(self._decisions_s)
            self._decisions_s.clear()
            return taken

    @property
    def wanted_slots(self) -> int:
        """How many trials would train now if there were room for all."""
        with self.lock:
            if self.stopping is not None:
                return 0
            new = 0 if self.policy.exhausted else max(0, self.spec.num_trials - self.policy.num_suggested)
            return len(self.live) + len(self._queue) + new

    # Books

    def _append(self, *events: ev.AnyEvent) -> None:
        self.journal.append(*events)
        self.sweep = self.journal.sweep  # the same, with the events in it


def clock_text(by_s: float) -> str:
    """What people are told of a clock that was set."""
    way = "forward" if by_s > 0 else "back"
    slept = ", or the machine slept" if by_s > 0 else ""
    return (
        f"this machine's clock was set {duration_text(abs(by_s))} {way}{slept}: budgets and timeouts do not count that;"
        f" times of day in the journal and in MLflow are off by it until the sweep is resumed"
    )


def training_seed(sweep_seed: int, trial: int) -> int:
    """The seed of a trial's weights, shuffling and dropout: the same through retries, resumes and machines."""
    return int(np.random.SeedSequence([sweep_seed, trial]).generate_state(1)[0]) >> 1
