"""The current state of a sweep: the fold of its events. Nothing here makes a decision."""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tuner.base.outcomes import TRIAL_STATES, UNFINISHED, UNUSABLE, Outcome, TrialState
from tuner.base.patience import takes_last
from tuner.base.words import Params
from tuner.sweep import events as ev

Mode = Literal["min", "max"]


def is_better(value: float, other: float, mode: Mode) -> bool:
    """Whether a finite value is better than another."""
    return value > other if mode == "max" else value < other


@dataclass(slots=True)
class Trial:
    """One trial. Its number stays the same through attempts, resumes and machines."""

    number: int
    params: Params
    origin: str
    epochs: list[ev.EpochReported] = field(default_factory=list)
    drivers: list[tuple[int, int]] = field(default_factory=list)
    """(index of the first epoch in `epochs`, number of the driver it was reported to); the first driver is 0."""
    used: dict[str, int | float] = field(default_factory=dict)
    """learning_rate, batch_size and epochs as they are really used, where a model that compiles itself says so."""
    jit_compile: bool | None = None
    """Whether XLA compiles its steps in its newest attempt; None where that was never a question."""
    logged: dict[str, str] = field(default_factory=dict)
    """Parameters that its script has logged to MLflow itself."""
    places: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The node of each attempt and the cards that it had there, by name or else number."""
    examples: int = 0
    """Training examples of an epoch in its newest attempt; 0 if unknown."""
    num_samples: int = 0
    """Of what its node did."""
    attempts: int = 0
    failures: int = 0
    """Attempts whose failure counts against the trial's retries."""
    last_failure: ev.AttemptFailed | None = None
    micro_batch_size: int | None = None
    """The most examples of a batch that are trained at once since memory ran out; None where it did not, 0 where the
    model turned out to need whole batches."""
    outcome: Outcome | None = None
    reason: str = ""
    checkpoints: list[ev.CheckpointSaved] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_seq: int = -1
    """The `seq` of the event that reported the best epoch. Of equal values the one reached first is better."""

    @property
    def epochs_trained(self) -> int:
        return self.epochs[-1].epoch if self.epochs else 0

    @property
    def epochs_max(self) -> int:
        """Epochs of its whole training."""
        return ev.epochs_max(self.params)

    @property
    def training_s(self) -> float:
        """Seconds inside training and validation, over the journalled epochs."""
        return sum(epoch.epoch_s for epoch in self.epochs)

    @property
    def state(self) -> TrialState:
        """Its outcome, or `unfinished`."""
        return self.outcome or UNFINISHED

    @property
    def usable(self) -> bool:
        """Whether its best value may be the best of the sweep."""
        return self.best_epoch > 0 and self.outcome not in UNUSABLE

    @property
    def test_metrics(self) -> ev.Metrics:
        """Test metrics of the best epoch's weights; empty if none were measured."""
        for saved in reversed(self.checkpoints):
            if saved.test and saved.best_epoch == self.best_epoch:
                return saved.test
        return {}


@dataclass(slots=True)
class DriverSpan:
    """The time during which one driver ran, according to its events; for utilization and wall time.

    All times are by that driver's own clock and are never compared with those of another driver.
    """

    started_at: float
    last_at: float
    set_back: list[tuple[int, float]] = field(default_factory=list)
    """(`seq` of the first event after it, total seconds) for each time the clock went back; only in older journals."""
    first_epoch_at: float | None = None
    last_epoch_at: float | None = None
    training_s: float = 0.0
    report: tuple[int, float] = (-1, 0.0)
    """Trial and time of the newest report, which may contain several epochs."""
    report_began_at: float = 0.0
    slots: list[tuple[float, int]] = field(default_factory=list)
    """(time of the change, slots from then on); the first item applies from the start."""

    def at(self, event: ev.AnyEvent) -> float:
        """The time of an event of this driver, by a clock that never goes back."""
        if not self.set_back:
            return event.at
        place = bisect_right(self.set_back, (event.seq, math.inf))
        return event.at + (self.set_back[place - 1][1] if place else 0.0)

    def reached(self, event: ev.AnyEvent) -> float:
        """Takes the time of the next event and returns it; it is never before the last one's."""
        at = self.at(event)
        if at < self.last_at:
            by_s = self.last_at - event.at
            self.set_back.append((event.seq, by_s))
            at = self.last_at
        self.last_at = at
        return at

    def trained(self, epoch: ev.EpochReported, at: float) -> None:
        """Takes an epoch. Short ones are reported together, so the first to report need not have started first."""
        self.training_s += epoch.epoch_s
        if self.report != (epoch.trial, at):
            self.report, self.report_began_at = (epoch.trial, at), at
        self.report_began_at -= epoch.epoch_s
        if self.first_epoch_at is None or self.report_began_at < self.first_epoch_at:
            self.first_epoch_at = self.report_began_at
        self.last_epoch_at = at

    def slot_s(self, start: float, end: float) -> float:
        """Slot-seconds between two times."""
        changes = [(at, slots) for at, slots in self.slots if at < end]
        ends = [*(at for at, _ in changes[1:]), end][: len(changes)]
        return sum(n * max(0.0, until - max(at, start)) for (at, n), until in zip(changes, ends, strict=True))


class Sweep:
    """A sweep folded from its events; `apply` takes the next one.

    Attributes:
        trials: every suggested trial by its number.
        ended_trials: trials with an outcome, in the order in which they ended.
        spans: one for each driver that ran it.
        begins: the event with which each of these drivers began.
        root_id: the id of its storage root; empty in a journal that an earlier version wrote.
        url: its folder, as the newest driver knew it.
        copied_from: the sweep that it is a copy of; empty if it is not a copy.
        codes: the versions of the trainable's code, as (`seq` of the event that introduced it, manifest).
        data: what is currently known about the data.
        work_folder: the folder in which the trainable's code runs, if it is known.
        started_by: NAME@HOST of whoever started it, if it is known.
        is_script: whether trials are processes of a script.
        learned: the versions of what `load_data` left in the trainable, as (`seq`, manifest).
        ended: the `sweep_ended` event; None if there is none, or the sweep was resumed after it.
        interrupted: the newest `sweep_interrupted` event; None while a driver runs, or after a crash.
    """

    def __init__(self) -> None:
        self.spec: dict[str, Any] = {}
        self.sweep_id = ""
        self.root_id = ""
        self.url = ""
        self.copied_from: dict[str, Any] = {}
        self.versions: dict[str, str] = {}
        self.codes: list[tuple[int, dict[str, Any]]] = []
        self.data: dict[str, Any] = {}
        self.learned: list[tuple[int, dict[str, Any]]] = []
        self.work_folder = ""
        self.started_by = ""
        self.is_script = False
        self.trials: dict[int, Trial] = {}
        self.ended_trials: list[Trial] = []
        self.spans: list[DriverSpan] = []
        self.begins: list[ev.SweepStarted | ev.SweepResumed] = []
        self.ended: ev.SweepEnded | None = None
        self.interrupted: ev.SweepInterruptedEvent | None = None
        self.num_epochs = 0
        self.num_events = 0
        self.num_infeasible = 0
        self.best: Trial | None = None
        self._unfinished: dict[int, Trial] = {}
        self._takes_last = False
        """Whether a trial's last epoch is its result, rather than its best one."""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def place(self) -> str:
        """Names the sweep and the place in its journal up to which it is folded."""
        return f"{self.sweep_id} {self.num_events}"

    @property
    def code(self) -> dict[str, Any]:
        """The current manifest of the trainable's code; empty if unknown."""
        return self.codes[-1][1] if self.codes else {}

    def code_at(self, seq: int) -> dict[str, Any]:
        """The manifest of the code in use at an event; for a resume with new code, the new one."""
        return next((code for since, code in reversed(self.codes) if since <= seq), {})

    def learned_of(self, trial: Trial) -> dict[str, Any]:
        """What `load_data` had left in the trainable at a trial's best epoch; empty where nothing is known."""
        seq = trial.best_seq if trial.best_epoch else self.num_events
        return next((learned for since, learned in reversed(self.learned) if since <= seq), {})

    def code_of(self, trial: Trial) -> dict[str, Any]:
        """The manifest of the code that trained a trial's best weights; before its first epoch, the newest."""
        return self.code_at(trial.best_seq) if trial.best_epoch else self.code

    @property
    def metric(self) -> str:
        return str(self.spec["objective"]["metric"])

    @property
    def mode(self) -> Mode:
        mode: Mode = self.spec["objective"]["mode"]
        return mode

    @property
    def num_trials(self) -> int:
        return int(self.spec["num_trials"])

    @property
    def num_counted(self) -> int:
        """The trials that count towards `num_trials`: all but infeasible ones, which others replace."""
        return len(self.trials) - self.num_infeasible

    @property
    def slots(self) -> int:
        """How many trials the cluster can train at the same time, or could when the last driver stopped."""
        return next((span.slots[-1][1] for span in reversed(self.spans) if span.slots), 0)

    @property
    def unfinished(self) -> Iterator[Trial]:
        """Suggested trials without an outcome, by number."""
        return iter(self._unfinished.values())

    def outcomes(self) -> dict[str, int]:
        """The number of trials by outcome, `unfinished` last."""
        counts: dict[str, int] = dict.fromkeys(TRIAL_STATES, 0)
        for trial in self.trials.values():
            counts[trial.state] += 1
        return counts

    @property
    def wall_s(self) -> float:
        """Seconds during which a driver ran."""
        return sum(span.last_at - span.started_at for span in self.spans)

    @property
    def training_s(self) -> float:
        return sum(span.training_s for span in self.spans)

    @property
    def utilization(self) -> float:
        """Training seconds / slot-seconds, from the first epoch's start to the last one's end; 0 before any epoch.

        Time without a driver does not count. For a driver that resumed the sweep, time counts from its start.
        """
        available_s = 0.0
        for span in self.spans:
            if span.first_epoch_at is None or span.last_epoch_at is None:
                continue
            first_of_all = available_s == 0.0
            available_s += span.slot_s(span.first_epoch_at if first_of_all else span.started_at, span.last_epoch_at)
        return self.training_s / available_s if available_s > 0 else 0.0

    @property
    def slot_hours(self) -> float:
        """Slots times the hours during which a driver held them, training or idle."""
        return sum(span.slot_s(span.started_at, span.last_at) for span in self.spans) / 3600

    def value(self, epoch: ev.EpochReported) -> float:
        """The objective at an epoch; NaN if it diverged (see `objective_value`)."""
        return objective_value(epoch.metrics, self.metric)

    def ranked(self) -> list[Trial]:
        """Usable trials, the best first."""
        return sorted((trial for trial in self.trials.values() if trial.usable), key=self.rank)

    def rank(self, trial: Trial) -> tuple[float, int, int]:
        """A sort key that puts the best usable trial first; of equal values the one reached first."""
        return (-trial.best_value if self.mode == "max" else trial.best_value, trial.best_seq, trial.number)

    def apply(self, event: ev.AnyEvent) -> None:
        """Takes the next event of the journal."""
        self.num_events += 1
        at = event.at
        if self.spans and not isinstance(event, ev.SweepResumed):  # before that, no driver ran
            at = self.spans[-1].reached(event)
        if isinstance(event, ev.EpochReported):  # nearly all events
            self._apply_epoch(self.trials[event.trial], event, at)
            return
        match event:
            case ev.SweepStarted():
                self.spec, self.versions = copy.deepcopy(event.spec), event.versions
                self._takes_last = takes_last(self.spec)
                self.sweep_id = event.sweep_id or f"{self.name}-{event.at:.6f}"
                self.root_id, self.url, self.copied_from = event.root_id, event.url, event.copied_from
                self.work_folder, self.is_script = event.work_folder, event.script
                self.started_by = event.started_by
                self._know(event)
                self.spans.append(DriverSpan(at, at))
            case ev.SweepResumed():
                self.spec = with_changes(self.spec, event.changes)
                self._takes_last = takes_last(self.spec)
                self.versions = event.versions or self.versions
                self._know(event)
                self.ended = self.interrupted = None
                if not self._is_copied(event):
                    self.root_id, self.url = event.root_id or self.root_id, event.url or self.url
                self.spans.append(DriverSpan(at, at))
            case ev.WarmStarted() | ev.ClockJumped():
                pass  # earlier trials are not this sweep's; `at` ignores jumps
            case ev.SlotsChanged():
                span = self.spans[-1]
                span.slots.append((at if span.slots else span.started_at, event.slots))
            case ev.SweepEnded():
                self.ended = event
            case ev.SweepInterruptedEvent():
                self.interrupted = event
            case ev.TrialSuggested():
                trial = Trial(event.trial, event.params, event.origin)
                self.trials[event.trial] = self._unfinished[event.trial] = trial
            case _:
                self._apply_to_trial(self.trials[event.trial], event)

    def _is_copied(self, event: ev.AnyEvent) -> bool:
        """Whether the event belongs to the sweep that this one is a copy of."""
        num_copied = self.copied_from.get("events")
        return isinstance(num_copied, int) and event.seq < num_copied

    def _know(self, event: ev.SweepStarted | ev.SweepResumed) -> None:
        """Takes an event's code and data, if it has any."""
        self.begins.append(event)
        if event.code:
            self.codes.append((event.seq, event.code))
        if event.learned:
            self.learned.append((event.seq, event.learned))
        self.data = event.data or self.data

    def _apply_to_trial(self, trial: Trial, event: ev.AnyEvent) -> None:
        match event:
            case ev.TrialStarted():
                trial.attempts = event.attempt
                trial.used = trial.used or event.used
                trial.jit_compile = event.jit_compile
                trial.places.append((event.node, tuple(event.gpu_names or event.gpus)))
                trial.examples = event.examples or trial.examples
            case ev.TrialLogged():
                trial.logged = {**event.params, **trial.logged}
            case ev.SystemSampled():
                trial.num_samples += len(event.samples)
            case ev.CheckpointSaved():
                trial.checkpoints.append(event)
            case ev.CheckpointsDeleted():
                best = [saved for saved in trial.checkpoints if saved.kind == "best"][-1:]
                trial.checkpoints = best if event.keeps_best else []
            case ev.AttemptFailed():
                trial.attempts = max(trial.attempts, event.attempt)
                if event.micro_batch_size is not None:
                    trial.micro_batch_size = event.micro_batch_size
                if event.counts:
                    trial.failures += 1
                    trial.last_failure = event
            case ev.TrialEnded():
                trial.outcome, trial.reason = event.outcome, event.reason
                self.num_infeasible += event.outcome == "infeasible"
                self._unfinished.pop(trial.number, None)
                self.ended_trials.append(trial)
                if trial is self.best and not trial.usable:
                    self.best = next(iter(self.ranked()), None)

    def _apply_epoch(self, trial: Trial, event: ev.EpochReported, at: float) -> None:
        driver = len(self.spans) - 1
        if not trial.drivers or trial.drivers[-1][1] != driver:
            trial.drivers.append((len(trial.epochs), driver))
        trial.epochs.append(event)
        self.num_epochs += 1
        self.spans[-1].trained(event, at)
        value = self.value(event)
        if not math.isfinite(value):
            return
        if self._takes_last or trial.best_epoch == 0 or is_better(value, trial.best_value, self.mode):
            trial.best_epoch, trial.best_value, trial.best_seq = event.epoch, value, event.seq
        if self._takes_last and trial is self.best:  # its value may have become worse
            self.best = self.ranked()[0]
        elif trial.usable and (self.best is None or is_better(trial.best_value, self.best.best_value, self.mode)):
            self.best = trial


def fold(events: Iterable[ev.AnyEvent]) -> Sweep:
    """Folds events into a sweep."""
    sweep = Sweep()
    for event in events:
        sweep.apply(event)
    return sweep


def objective_value(metrics: ev.Metrics, metric: str) -> float:
    """The objective at an epoch; NaN if it, the loss or the validation loss is not finite (the trial diverged)."""
    value = metrics.get(metric)
    if value is None or not math.isfinite(value):
        return math.nan
    for name in ("loss", "val_loss"):
        other = metrics.get(name, 0.0)
        if other is None or not math.isfinite(other):
            return math.nan
    return value


def with_changes(spec: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a resolved spec with changes, given as path -> value."""
    changed = copy.deepcopy(spec)
    for path, value in changes.items():
        _set_path(changed, path, value)
    return changed


def _set_path(tree: dict[str, Any], path: str, value: Any) -> None:
    """Sets `a.b.c` in nested mappings, creating those that are missing."""
    *parents, last = path.split(".")
    for key in parents:
        if not isinstance(tree.get(key), dict):
            tree[key] = {}
        tree = tree[key]
    tree[last] = value
