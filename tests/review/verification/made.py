"""A sweep made by hand, sound in every respect: its events, its checkpoint files, and what MLflow holds of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from tests.simulation import accuracy, make_spec
from tuner.engine.replay import replay, suggested_event
from tuner.policy import Policy
from tuner.recording.plan import PARENT, Planner, RunKey, RunOf
from tuner.recording.reading import RecordedRun
from tuner.review.verification.checker import verify_events
from tuner.review.verification.result import Finding, Findings
from tuner.review.verification.runs import check_runs
from tuner.review.verification.weights import StoredFile, check_files, kept_trials
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.sweep import Sweep
from tuner.sweep import events as ev

START = 1_700_000_000.0
KEEP = 3


@dataclass
class Made:
    """What a sweep left behind."""

    events: list[ev.AnyEvent]
    files: dict[str, StoredFile]
    runs: list[RecordedRun] = field(default_factory=list)
    acknowledged: Sequence[ev.AnyEvent] = ()

    def copy(self) -> Made:
        """Another one of the same events, files and runs, which are frozen."""
        return Made(list(self.events), dict(self.files), list(self.runs))

    def verify(self) -> list[Finding]:
        """All that `verify_sweep` does, but from plain values."""
        found = Findings()
        sweep = verify_events(self.events, self.acknowledged, found, {})
        if sweep is not None:
            check_runs(sweep, self.events, self.runs, found)
            check_files(sweep, kept_trials(self.events, sweep), self.files, found)
        return list(found)


class Maker:
    """Runs a pretended sweep: a few slots, epochs of a curve, failures, a killed driver, checkpoints."""

    def __init__(self, spec: SweepSpec, seed: int = 0) -> None:
        self.spec, self.rng = spec, np.random.default_rng(seed)
        self.events: list[ev.AnyEvent] = []
        self.files: dict[str, StoredFile] = {}
        self.sweep = Sweep()
        self.policy = Policy(spec.search_settings)
        self.live: dict[int, int] = {}
        """The attempt under way of each live trial."""
        self.add(ev.SweepStarted(spec=spec.resolved(), versions={}, seed=spec.search.seed, sweep_id="0" * 32))
        self.add(ev.SlotsChanged(slots=3))

    def add(self, *events: ev.AnyEvent) -> None:
        for event in events:
            seq = len(self.events)
            stamped = msgspec.structs.replace(event, at=START + seq, seq=seq)
            self.events.append(stamped)
            self.sweep.apply(stamped)

    def run(self, steps: int = 1_000_000, fails: float = 0.05) -> bool:
        """True when every trial has ended; False after so many steps."""
        for _ in range(steps):
            while len(self.live) < 3 and self._give_out():
                pass
            if not self.live:
                return True
            trial = int(self.rng.choice(sorted(self.live)))
            if self.rng.random() < fails:
                self._fail(trial)
            else:
                self._train(trial)
        return False

    def _give_out(self) -> bool:
        waiting = [trial.number for trial in self.sweep.unfinished if trial.number not in self.live]
        if not waiting:
            suggestion = self.policy.ask()
            if suggestion is None:
                return False
            self.add(suggested_event(suggestion))
            waiting = [suggestion.trial]
        trial = self.sweep.trials[waiting[0]]
        full = [saved for saved in trial.checkpoints if saved.kind == "full"]
        attempt, epoch = trial.attempts + 1, full[-1].epoch if full else 0
        self.add(ev.TrialStarted(trial=trial.number, attempt=attempt, node="n", pid=1, gpus=[], epoch=epoch))
        self.live[trial.number] = attempt
        return True

    def _train(self, number: int) -> None:
        trial = self.sweep.trials[number]
        epoch, params = trial.epochs_trained + 1, trial.params
        value = accuracy(params, epoch)
        if float(params["learning_rate"]) > 0.02 and epoch == 1 + number % 2:  # type: ignore[arg-type]
            value = math.nan
        decision = self.policy.tell(number, epoch, value)
        metrics = {"loss": 1 - value, "val_accuracy": value, "epoch_s": 0.25}
        metrics_json = {name: None if math.isnan(number) else number for name, number in metrics.items()}
        self.add(
            ev.EpochReported(
                trial=number,
                attempt=self.live[number],
                epoch=epoch,
                metrics=metrics_json,
                epoch_s=0.25,
                decision=decision.action,
                reason=decision.reason,
            )
        )
        if decision.outcome is not None:
            if trial.best_epoch:
                self._save(number, "best", test={"accuracy": 0.5 + number / 1000})
            self._end(number, decision.outcome, decision.reason)
        elif epoch % 2 == 0:
            self._save(number, "full")

    def _save(self, number: int, kind: str, test: ev.Metrics | None = None) -> None:
        trial = self.sweep.trials[number]
        epoch, best_epoch = trial.epochs_trained, trial.best_epoch
        path = f"checkpoints/{number:06d}/{kind}-{epoch:06d}-attempt-{self.live[number]:03d}-1.npz"
        self.files[path] = StoredFile(path, epoch, best_epoch, 4 if kind == "full" else 0, 2)
        self.add(
            ev.CheckpointSaved(trial=number, epoch=epoch, path=path, best_epoch=best_epoch, test=test or {}, kind=kind)
        )

    def _fail(self, number: int) -> None:
        attempt = self.live.pop(number)
        self.add(ev.AttemptFailed(trial=number, attempt=attempt, cause="error", reason="ValueError: no"))
        if self.sweep.trials[number].failures > self.spec.failures.max_retries:
            self._end(number, "failed", "ValueError: no")

    def _end(self, number: int, outcome: str, reason: str) -> None:
        self.live.pop(number, None)
        self.add(ev.TrialEnded(trial=number, outcome=outcome, reason=reason))
        self.policy.close(number, outcome)
        if self.sweep.trials[number].checkpoints:
            self.add(ev.CheckpointsDeleted(trial=number, keeps_best=True))
        self._let_go()

    def _let_go(self) -> None:
        """Deletes the checkpoints of ended trials that are not among the best."""
        kept = kept_trials(self.events, self.sweep)
        for trial in self.sweep.trials.values():
            if trial.outcome is not None and trial.checkpoints and trial.number not in kept:
                self.add(ev.CheckpointsDeleted(trial=trial.number))
        named = {saved.path for trial in self.sweep.trials.values() for saved in trial.checkpoints}
        self.files = {path: file for path, file in self.files.items() if path in named}

    def resumed(self, **changes: Any) -> None:
        """Another driver goes on, perhaps with a changed spec; nested keys as a__b."""
        self.live.clear()
        self.add(ev.SweepResumed(changes={path.replace("__", "."): value for path, value in changes.items()}))
        self.spec = spec_from_mapping(self.sweep.spec)
        self.policy = replay(self.spec, self.events)
        for trial in list(self.sweep.unfinished):
            if trial.failures > self.spec.failures.max_retries:
                self._end(trial.number, "failed", "ValueError: no")
        self._let_go()

    def made(self) -> Made:
        return Made(list(self.events), dict(self.files), recorded(self.events))


def make(*, num_trials: int = 16, seed: int = 0, kills: tuple[int, ...] = (20, 30), end: str = "finished") -> Made:
    """A sweep of some trials, whose driver is killed after so many steps, and again."""
    spec = make_spec(num_trials=num_trials, search__seed=seed, checkpoints__keep=KEEP)
    maker = Maker(spec, seed)
    for steps in kills:
        if not maker.run(steps):
            maker.resumed()
    if end == "finished":
        assert maker.run()
        maker.add(ev.SweepEnded(reason=f"all {num_trials} trials ended"))
    else:
        maker.run(10)
        maker.add(ev.SweepInterruptedEvent(reason="interrupted by SIGTERM"))
    return maker.made()


def recorded(events: Sequence[ev.AnyEvent]) -> list[RecordedRun]:
    """What the recorder tells MLflow of these events, the parent first."""
    updates = Planner().plan(events)
    runs = []
    for key in (PARENT, *sorted(key for key in updates if key is not None)):
        update = updates[key]
        assert update.new is not None
        tags = {name: _text(value) for name, value in (update.new.tags | update.tags).items()}
        runs.append(
            RecordedRun(
                run_id=_run_id(key),
                trial=key,
                parent_run_id=tags.get("mlflow.parentRunId"),
                status=update.status or "RUNNING",
                params=dict(update.params),
                tags=tags,
                rows=tuple(dict.fromkeys(update.rows)),
            )
        )
    return runs


def _run_id(key: RunKey) -> str:
    return "run-of-the-sweep" if key is None else f"run-{key}"


def _text(value: Any) -> str:
    return _run_id(value.run) if isinstance(value, RunOf) else str(value)


def check_runs_alone(sweep: Sweep, events: Sequence[ev.AnyEvent], runs: Sequence[RecordedRun]) -> list[str]:
    """What `verify` says of a sweep's runs."""
    found = Findings()
    check_runs(sweep, events, runs, found)
    return [finding.message for finding in found]
