"""What many tests need: small specs, and a cluster of pretended workers that trains curves instead of networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tuner.engine.coordinator import Coordinator
from tuner.engine.messages import Assignment, Failure, Report, TrainedEpoch
from tuner.policy import STOP, Policy
from tuner.policy.observations import Observed
from tuner.spec import SweepSpec, dump_yaml, spec_from_mapping
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, create_sweep
from tuner.sweep import events as ev

Curve = Callable[[dict[str, Any], int], float]

SPACE: dict[str, Any] = {
    "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
    "batch_size": {"choices": [32, 64, 128, 256]},
    "schedule": {"choices": ["constant", "exponential"]},
    "decay_rate": {"low": 0.1, "high": 0.9, "when": {"schedule": "exponential"}},
}


def make_spec(**changes: Any) -> SweepSpec:
    """A spec of 30 trials on the digits; nested keys as a__b."""
    written: dict[str, Any] = {
        "name": "test",
        "trainable": "digits",
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "num_trials": 30,
        "epochs": {"min": 1, "max": 27},
        "space": SPACE,
        "search": {"seed": 3},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        tree = written
        for key in parents:
            tree = tree.setdefault(key, {})
        tree[last] = value
    return spec_from_mapping(written)


def accuracy(params: dict[str, Any], epoch: int) -> float:
    """A curve that rises towards an accuracy which is best at a learning rate of 0.005."""
    distance = abs(math.log10(params["learning_rate"]) + 2.3)
    return 0.99 - 0.1 * distance - 0.5 * math.exp(-epoch / 5) - 0.01 * (params.get("batch_size") == 256)


def run_one_by_one(policy: Policy, curve: Any = accuracy) -> list[tuple[int, str, int]]:
    """Trains each trial to its end before the next: (trial, outcome, epochs)."""
    ended = []
    while suggestion := policy.ask():
        for epoch in range(1, 1000):
            decision = policy.tell(suggestion.trial, epoch, curve(suggestion.params, epoch))
            if decision.action == STOP:
                assert decision.outcome is not None
                policy.close(suggestion.trial, decision.outcome)
                ended.append((suggestion.trial, decision.outcome, epoch))
                break
    return ended


def trials_of(policy: Policy) -> list[Observed]:
    return [policy._observed[number] for number in range(policy.num_suggested)]


def new_sweep(folder: Path, spec: SweepSpec) -> Journal:
    """The journal of a sweep that has just begun."""
    started = ev.SweepStarted(spec=spec.resolved(), versions={}, seed=spec.search.seed, sweep_id="0" * 32)
    return create_sweep(SweepFolder(folder / spec.name), dump_yaml(spec.resolved()), started)


class SimulatedCluster:
    """Drives a coordinator as Tune does, with `slots` workers that report in random order and epochs of a curve.

    Args:
        curve: the objective of a configuration after an epoch; may raise, or be NaN.
        batch: epochs a report, at most.
        dies: the chance that a worker dies instead of reporting.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        curve: Curve,
        *,
        slots: int = 4,
        seed: int = 0,
        batch: int = 3,
        dies: float = 0.0,
    ) -> None:
        self.coordinator, self.curve, self.batch, self.dies = coordinator, curve, batch, dies
        self.silent: set[int] = set()
        """Trials whose attempt has not reported yet."""
        self.rng = np.random.default_rng(seed)
        self.workers: dict[int, tuple[Assignment, int]] = {}
        self.ahead: dict[int, Assignment] = {}
        """Trial -> what its slot was given ahead."""
        coordinator.set_slots(slots)

    def run(self, steps: int = 1_000_000) -> bool:
        """Until the sweep is over (True), or so many reports were made (False), as if killed then."""
        for _ in range(steps):
            while assignment := self.coordinator.next_trial():
                self._begin(assignment)
            if not self.workers:
                assert self.coordinator.finished
                return True
            self._one_report(int(self.rng.choice(sorted(self.workers))))
        return False

    def _begin(self, assignment: Assignment) -> None:
        done = self.coordinator.sweep.trials[assignment.trial].epochs_trained
        self.workers[assignment.trial] = (assignment, done if self.rng.random() < 0.5 else 0)
        self.silent.add(assignment.trial)
        self._look_ahead(assignment.trial)

    def _look_ahead(self, trial: int) -> None:
        if (ahead := self.coordinator.trial_ahead(trial)) is not None:
            self.ahead[trial] = ahead

    def _one_report(self, trial: int) -> None:
        assignment, done = self.workers[trial]
        if self.rng.random() < self.dies:
            cause = str(self.rng.choice(["worker", "node", "memory", "timeout", "retired"]))
            self.coordinator.lost(trial, cause, f"its {cause} did it")
            goes_on = False
        else:
            goes_on = self.coordinator.report(self._report(assignment, done))
        if goes_on:
            self._look_ahead(trial)
            return
        del self.workers[trial]
        self.coordinator.release(trial)
        if (ahead := self.ahead.pop(trial, None)) is None:
            return
        if (following := self.coordinator.next_trial(ahead)) is not None:
            self._begin(following)
        else:
            self.coordinator.give_back(ahead.trial)

    def _report(self, assignment: Assignment, done: int) -> Report:
        epochs: list[TrainedEpoch] = []
        failure = None
        try:
            for epoch in range(done + 1, done + 1 + self.batch):
                value = self.curve(assignment.params, epoch)
                metrics = {"loss": 1 - value, "val_loss": 1 - value, "val_accuracy": value}
                epochs.append(TrainedEpoch(epoch, metrics, epoch_s=0.01))
                if epoch in assignment.judged_at or epoch >= assignment.epochs_max or not math.isfinite(value):
                    break
        except Exception as error:
            failure = Failure("error", f"{type(error).__name__}: {error}", "a traceback")
        first = assignment.trial in self.silent
        self.silent.discard(assignment.trial)
        self.workers[assignment.trial] = (assignment, epochs[-1].epoch if epochs else done)
        return Report(
            trial=assignment.trial,
            attempt=assignment.attempt,
            node="here",
            pid=1,
            gpus=(),
            started_at_epoch=done if first else None,
            epochs=tuple(epochs),
            failure=failure,
        )


def coordinator_of(journal: Journal) -> Coordinator:
    """A coordinator as a driver makes it, for the spec in the journal."""
    return Coordinator(spec_from_mapping(journal.sweep.spec), journal, log=lambda line: None)
