"""From a journal's events back to the policy's state, and the proof that every decision follows from them.

A resume may change what the policy is built from. The policy after it is the one that the changed spec makes, told all
that happened before: what was suggested, each value and each end. So the state after any event is a function of the
spec as it is then and of the events up to it, however often the spec changed on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tuner.policy.earlier import EarlierTrial
from tuner.policy.policy import Decision, Policy, Suggestion
from tuner.policy.version import decides_alike, version_of
from tuner.spec import SweepSpec
from tuner.spec.history import SpecHistory
from tuner.spec.space import Space
from tuner.sweep import objective_value
from tuner.sweep.events import (
    AnyEvent,
    EpochReported,
    SweepResumed,
    SweepStarted,
    TrialEnded,
    TrialSuggested,
    WarmStarted,
)

BUILT_FROM = ("space", "feasible", "early_stopping", "num_trials")
"""The parts of a spec that a resume may change and that the policy is built from."""


def replay(spec: SweepSpec, events: Iterable[AnyEvent]) -> Policy:
    """The policy after a journal's events, as a driver that continues from them has it.

    Args:
        spec: the sweep's spec as it is now, with the changes of every resume among the events.
        events: the whole journal, in order.
    """
    policy = Policy(spec.search_settings)
    metric = spec.objective.metric
    for event in events:
        match event:
            case EpochReported():
                policy.tell(event.trial, event.epoch, objective_value(event.metrics, metric))
            case TrialSuggested():
                policy.adopt(suggestion_in(event, policy.space))
            case TrialEnded():
                policy.close(event.trial, event.outcome)
            case WarmStarted():
                tell_earlier(policy, event)
    return policy


def suggested_event(suggestion: Suggestion) -> TrialSuggested:
    """The journal's event for a suggestion; its `params` also hold the epochs."""
    params = {**suggestion.params, "epochs": suggestion.epochs}
    return TrialSuggested(trial=suggestion.trial, params=params, origin=suggestion.origin)


def suggestion_in(event: TrialSuggested, space: Space) -> Suggestion:
    """The suggestion of an event, with the parameters that the space has."""
    params = {name: value for name, value in event.params.items() if name in space}
    return Suggestion(event.trial, params, event.epochs_max, event.origin)


def tell_earlier(policy: Policy, event: WarmStarted) -> None:
    """Tells a policy what a sweep knew from the start."""
    policy.learn(earlier_trials(event))
    policy.begin_with(event.points)


def earlier_trials(event: WarmStarted) -> list[EarlierTrial]:
    """The earlier trials that a sweep knew from the start."""
    return [EarlierTrial.from_plain(event.source, trial) for trial in event.trials]


def verify(events: Iterable[AnyEvent]) -> list[str]:
    """Where a journal differs from what this policy would have suggested or decided, a line each; see `recompute`."""
    return recompute(events).wrong


@dataclass
class Recomputed:
    """The result of recomputing a journal's suggestions and decisions."""

    wrong: list[str] = field(default_factory=list)
    """Each difference, as one line."""
    num: int = 0
    """Suggestions and decisions that were recomputed."""
    left: Counter[int] = field(default_factory=Counter)
    """By version, how many suggestions and decisions other versions made, which were not recomputed."""
    num_unnamed: int = 0
    """Differences in decisions of drivers that named no version."""


def recompute(events: Iterable[AnyEvent]) -> Recomputed:
    """Recomputes a journal's suggestions and decisions, each from the events before it.

    Decisions of another version of the policy are not judged, but count as observed from then on. The spec is the
    journal's own: what `sweep_started` holds, changed by each `sweep_resumed`. The events must be such that a sweep can
    be folded from them.
    """
    verifier = _Verifier()
    for event in events:
        verifier.take(event)
    return verifier.found


class _Verifier:
    """Walks a journal with the policy that its driver had at each event."""

    def __init__(self) -> None:
        self.found = Recomputed()
        self._history = SpecHistory()
        self._before: list[AnyEvent] = []
        self._stops: dict[int, Decision] = {}
        self._knows_earlier = False

    def take(self, event: AnyEvent) -> None:
        match event:
            case EpochReported():
                self._check_epoch(event)
            case TrialSuggested():
                self._check_suggestion(event)
            case TrialEnded():
                self._check_end(event)
            case SweepStarted() | SweepResumed():
                self._history.take(event)
                if isinstance(event, SweepStarted) or touches_policy(event):
                    self._policy = replay(self._history.spec, self._before)
            case WarmStarted():
                self._knows_earlier = self._knows_earlier or bool(event.trials)
                tell_earlier(self._policy, event)
        self._before.append(event)

    def _is_own(self) -> bool:
        """Whether this version of the policy made the next decision; counts it."""
        if not decides_alike(self._history.policy, self._knows_earlier):
            self.found.left[version_of(self._history.policy)] += 1
            return False
        self.found.num += 1
        return True

    def _differs(self, line: str) -> None:
        self.found.wrong.append(line)
        self.found.num_unnamed += self._history.policy == 0

    def _check_suggestion(self, event: TrialSuggested) -> None:
        is_own = self._is_own()
        if event.trial < self._policy.num_suggested:
            self._differs(f"trial {event.trial}: suggested twice")
            return
        if is_own:
            found = self._policy.propose()
            if found is None or not _is_same(suggested_event(found), event):
                was = f"{event.params} ({event.origin})"
                self._differs(f"trial {event.trial}: the journal has {was}, but replay gives {found}")
        self._policy.adopt(suggestion_in(event, self._policy.space))

    def _check_epoch(self, event: EpochReported) -> None:
        value = objective_value(event.metrics, self._history.spec.objective.metric)
        decision = self._policy.tell(event.trial, event.epoch, value)
        if not self._is_own():
            return
        if decision.outcome is not None:
            self._stops[event.trial] = decision
        is_other = event.outcome is not None and event.outcome != decision.outcome
        if is_other or (decision.action, decision.reason) != (event.decision, event.reason):
            was = f"{event.decision} ({event.reason})"
            self._differs(f"trial {event.trial}, epoch {event.epoch}: {was}, but replay gives {decision}")

    def _check_end(self, event: TrialEnded) -> None:
        stop = self._stops.get(event.trial)
        if stop is not None and stop.outcome != event.outcome:
            self._differs(f"trial {event.trial}: ended as {event.outcome}, but replay gives {stop.outcome}")
        self._policy.close(event.trial, event.outcome)


def _is_same(one: TrialSuggested, other: TrialSuggested) -> bool:
    return (one.trial, one.params, one.origin) == (other.trial, other.params, other.origin)


def touches_policy(resumed: SweepResumed) -> bool:
    """Whether a resume changed what the policy is built from."""
    return any(path.split(".")[0] in BUILT_FROM for path in resumed.changes)
