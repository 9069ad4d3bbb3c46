"""Explains why a trial was suggested and why it ended as it did, from the journal alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tuner.base.outcomes import Outcome
from tuner.engine.replay import replay
from tuner.policy.asha import Asha
from tuner.policy.policy import CONTINUE, Policy
from tuner.policy.version import decides_alike, version_of
from tuner.spec import SweepSpec
from tuner.spec.history import SpecHistory
from tuner.spec.space import Params
from tuner.sweep import objective_value
from tuner.sweep.events import AnyEvent, AttemptFailed, EpochReported, TrialEnded, TrialSuggested

ORIGINS = {
    "point": "one of the points of the spec or of a probe, which come first",
    "random": "an independent draw, whatever was observed",
    "broad": "of a few independent draws the likeliest among the good trials against all others, by TPE",
    "tpe": "TPE's proposal: of its candidates the likeliest among the good trials against all others",
    "grid": "the next configuration of the grid",
}
"""What drew a configuration, in words."""


@dataclass(frozen=True)
class Reached:
    """A value that a trial reached, and the epoch after which it did."""

    trial: int
    epoch: int
    value: float
    """The value at that epoch; for a trial that the model counts as good, the best so far, which the model uses."""


@dataclass(frozen=True)
class Judgement:
    """How a trial ranked at a rung, when it reached the rung or was judged again."""

    epoch: int
    """The epoch after which it was judged."""
    rung: int
    value: float
    """Its value at the rung."""
    cutoff: float | None
    """The value that was needed to continue; None if any value was enough."""
    place: int
    size: int
    """The number of values at the rung, including its own."""
    places: int
    """How many of the best continue."""
    goes_on: bool
    compared: tuple[Reached, ...]
    """All other trials at the rung at that time, best first."""


@dataclass(frozen=True)
class Explanation:
    """What led to a trial and to its end."""

    trial: int
    params: Params
    origin: str
    num_observed: int
    """Trials that had a result when this one was suggested."""
    num_running: int
    """Trials that were running without a result."""
    num_earlier: int
    """Trials of earlier sweeps that the search had learned from."""
    good: tuple[Reached, ...]
    """The trials that the model counted as good then, best first; empty if there was no model."""
    epochs: int
    epochs_max: int
    judgements: tuple[Judgement, ...]
    failures: tuple[AttemptFailed, ...]
    outcome: Outcome | None
    """None while it has not ended."""
    reason: str
    policies: tuple[int, ...]
    """The versions of the policy that suggested it or decided on it, in order, each once."""

    @property
    def why(self) -> str:
        """Its origin in words."""
        return ORIGINS.get(self.origin, f"drawn as {self.origin!r}")

    @property
    def other_policies(self) -> tuple[int, ...]:
        """The other versions in `policies`, whose rules may differ from those explained here."""
        return tuple(version for version in self.policies if not decides_alike(version, self.num_earlier > 0))


def explain(events: Sequence[AnyEvent], trial: int) -> Explanation:
    """Explains a trial of a journal.

    Raises:
        LookupError: it was never suggested.
    """
    index = next((i for i, e in enumerate(events) if isinstance(e, TrialSuggested) and e.trial == trial), None)
    if index is None:
        raise LookupError(trial)
    suggested = events[index]
    assert isinstance(suggested, TrialSuggested)
    before = events[:index]
    spec = SpecHistory(before).spec
    policy = replay(spec, before)
    ended = next((e for e in events if isinstance(e, TrialEnded) and e.trial == trial), None)
    return Explanation(
        trial=trial,
        params=suggested.params,
        origin=suggested.origin,
        num_observed=policy.num_observed,
        num_running=policy.num_suggested - policy.num_observed,
        num_earlier=policy.num_earlier,
        good=tuple(_reached(policy, spec, number) for number in policy.good()),
        epochs=max((e.epoch for e in events if isinstance(e, EpochReported) and e.trial == trial), default=0),
        epochs_max=suggested.epochs_max,
        judgements=tuple(_judgements(events, trial)),
        failures=tuple(e for e in events if isinstance(e, AttemptFailed) and e.trial == trial),
        outcome=ended.outcome if ended is not None else None,
        reason=ended.reason if ended is not None else "",
        policies=tuple(dict.fromkeys(_deciders(events, trial))),
    )


def _deciders(events: Sequence[AnyEvent], trial: int) -> Iterator[int]:
    """The versions of the policy that suggested a trial and decided on its epochs, in order."""
    history = SpecHistory()
    for event in events:
        history.take(event)
        if isinstance(event, TrialSuggested | EpochReported) and event.trial == trial:
            yield version_of(history.policy)


def _reached(policy: Policy, spec: SweepSpec, trial: int) -> Reached:
    observed = policy.observed(trial)
    return Reached(trial, observed.level, _sign(spec) * observed.loss if observed.level else math.nan)


def _sign(spec: SweepSpec) -> float:
    """The factor between an objective value and a loss, in both directions."""
    return -1.0 if spec.objective.mode == "max" else 1.0


def _judgements(events: Sequence[AnyEvent], trial: int) -> Iterator[Judgement]:
    """Replays the journal with the rungs as they were at each event."""
    rungs: dict[int, dict[int, float]] = {}
    """Epoch of a rung -> value of each trial that reached it."""
    epochs_max: dict[int, int] = {}
    history = SpecHistory()
    for event in events:
        if history.take(event):
            spec = history.spec
            policy = Policy(spec.search_settings)
        elif isinstance(event, TrialSuggested):
            epochs_max[event.trial] = event.epochs_max
        elif (
            isinstance(event, EpochReported) and event.epoch < epochs_max[event.trial]
        ):  # the last epoch is not in a rung
            value = objective_value(event.metrics, spec.objective.metric)
            if not math.isfinite(value):
                continue
            rungs.setdefault(event.epoch, {})[event.trial] = value
            rung = policy.looked_at.get(event.epoch, event.epoch)
            if event.trial == trial and event.epoch in policy.judged_at and trial in rungs.get(rung, ()):
                yield _judgement(spec, rung, rungs[rung], event)


def _judgement(spec: SweepSpec, rung: int, values: Mapping[int, float], event: EpochReported) -> Judgement:
    """Judges a value at the rung as it was."""
    sign, value = _sign(spec), values[event.trial]
    asha = Asha([rung], spec.early_stopping.reduction_factor)
    for other in values.values():
        asha.judge(rung, sign * other)
    verdict = asha.look(rung, sign * value)
    others = (Reached(number, rung, other) for number, other in values.items() if number != event.trial)
    compared = sorted(others, key=lambda other: sign * other.value)
    cutoff = compared[verdict.places - 1].value if len(compared) >= verdict.places else None
    return Judgement(
        epoch=event.epoch,
        rung=rung,
        value=value,
        cutoff=cutoff,
        place=verdict.place,
        size=verdict.size,
        places=verdict.places,
        goes_on=event.decision == CONTINUE,
        compared=tuple(compared),
    )
