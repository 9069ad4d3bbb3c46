"""From a journal's events back to the policy's state, and the proof that every decision follows from them.

A resume may change what the policy is built from. The policy after it is the one that the changed spec makes, told all
that happened before: what was suggested, each value and each end. So the state after any event is a function of the
spec as it is then and of the events up to it, however often the spec changed on the way.
"""

from __future__ import annotations

from collections.abc import Iterable

from tuner.events import (
    AnyEvent,
    EpochReported,
    SweepResumed,
    SweepStarted,
    TrialEnded,
    TrialSuggested,
    WarmStarted,
)
from tuner.policy.earlier import EarlierTrial
from tuner.policy.policy import Decision, Policy
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.sweep import Sweep, objective_value

BUILT_FROM = ("space", "early_stopping", "num_trials")
"""The parts of a spec that a resume may change and that the policy is built from."""


def replay(spec: SweepSpec, events: Iterable[AnyEvent]) -> Policy:
    """The policy after these events; see `Policy.replay`."""
    policy = Policy.from_spec(spec)
    metric = spec.objective.metric
    for event in events:
        match event:
            case EpochReported():
                policy.tell(event.trial, event.epoch, objective_value(event.metrics, metric))
            case TrialSuggested():
                policy.adopt(event.trial, event.params, event.origin)
            case TrialEnded():
                policy.close(event.trial, event.outcome)
            case WarmStarted():
                policy.learn(earlier_trials(event))
    return policy


def earlier_trials(event: WarmStarted) -> list[EarlierTrial]:
    """The trials that a sweep began with knowing."""
    return [EarlierTrial.from_plain(event.source, trial) for trial in event.trials]


def verify(events: Iterable[AnyEvent]) -> list[str]:
    """Recomputes every suggestion and decision of a journal from the events before it; each difference as one line.

    The spec is the journal's own: what `sweep_started` holds, changed by each `sweep_resumed`. The events must be such
    that a sweep can be folded from them.
    """
    verifier = _Verifier()
    for event in events:
        verifier.take(event)
    return verifier.wrong


class _Verifier:
    """Walks a journal with the policy that its driver had at each event."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._sweep = Sweep()
        """Told of nothing but what changes the spec."""
        self._before: list[AnyEvent] = []
        self._stops: dict[int, Decision] = {}

    def take(self, event: AnyEvent) -> None:
        match event:
            case EpochReported():
                self._check_epoch(event)
            case TrialSuggested():
                self._check_suggestion(event)
            case TrialEnded():
                self._check_end(event)
            case SweepStarted() | SweepResumed():
                self._sweep.apply(event)
                if isinstance(event, SweepStarted) or touches_policy(event):
                    self._policy = replay(spec_from_mapping(self._sweep.spec, source="the journal"), self._before)
            case WarmStarted():
                self._policy.learn(earlier_trials(event))
        self._before.append(event)

    def _check_suggestion(self, event: TrialSuggested) -> None:
        if event.trial < self._policy.num_suggested:
            self.wrong.append(f"trial {event.trial}: suggested twice")
            return
        found = self._policy.propose()
        if found is None or (found.trial, found.params, found.origin) != (event.trial, event.params, event.origin):
            was = f"{event.params} ({event.origin})"
            self.wrong.append(f"trial {event.trial}: the journal has {was}, but replay gives {found}")
        self._policy.adopt(event.trial, event.params, event.origin)

    def _check_epoch(self, event: EpochReported) -> None:
        value = objective_value(event.metrics, self._sweep.metric)
        decision = self._policy.tell(event.trial, event.epoch, value)
        if decision.outcome is not None:
            self._stops[event.trial] = decision
        if (decision.action, decision.reason) != (event.decision, event.reason):
            was = f"{event.decision} ({event.reason})"
            self.wrong.append(f"trial {event.trial}, epoch {event.epoch}: {was}, but replay gives {decision}")

    def _check_end(self, event: TrialEnded) -> None:
        stop = self._stops.get(event.trial)
        if stop is not None and stop.outcome != event.outcome:
            self.wrong.append(f"trial {event.trial}: ended as {event.outcome}, but replay gives {stop.outcome}")
        self._policy.close(event.trial, event.outcome)


def touches_policy(resumed: SweepResumed) -> bool:
    """Whether a resume changed what the policy is built from."""
    return any(path.split(".")[0] in BUILT_FROM for path in resumed.changes)
