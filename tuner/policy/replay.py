"""From a journal's events back to the policy's state, and the proof that every decision follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuner.events import AnyEvent, EpochReported, TrialEnded, TrialSuggested
from tuner.policy.policy import Policy
from tuner.sweep import objective_value


def replay(spec: Any, events: Iterable[AnyEvent]) -> Policy:
    """The policy after these events, as it was when the last of them was written; see `Policy.replay`."""
    policy = Policy.from_spec(spec)
    for event in events:
        match event:
            case TrialSuggested():
                policy.adopt(event.trial, event.params)
            case EpochReported():
                policy.tell(event.trial, event.epoch, objective_value(event.metrics, spec.objective.metric))
            case TrialEnded():
                policy.close(event.trial, event.outcome)
    return policy


def verify(spec: Any, events: Iterable[AnyEvent]) -> list[str]:
    """Recomputes every suggestion and decision from the events before it; each difference as one line."""
    policy = Policy.from_spec(spec)
    wrong: list[str] = []
    for event in events:
        match event:
            case TrialSuggested():
                suggestion = policy.ask()
                if suggestion is None or (suggestion.trial, suggestion.params) != (event.trial, event.params):
                    wrong.append(f"trial {event.trial}: the journal has {event.params}, but replay gives {suggestion}")
                    policy.adopt(event.trial, event.params)
            case EpochReported():
                value = objective_value(event.metrics, spec.objective.metric)
                decision = policy.tell(event.trial, event.epoch, value)
                if (decision.action, decision.reason) != (event.decision, event.reason):
                    was = f"{event.decision} ({event.reason})"
                    wrong.append(f"trial {event.trial}, epoch {event.epoch}: {was}, but replay gives {decision}")
            case TrialEnded():
                policy.close(event.trial, event.outcome)
    return wrong
