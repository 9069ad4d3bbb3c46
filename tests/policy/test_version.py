"""The policy's version: what this one decided is recomputed, what others decided is left, and said to be left."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.engine.test_replay import Driven, state
from tests.review.verification.made import make
from tests.simulation import accuracy, make_spec
from tuner.engine.replay import recompute, replay, verify
from tuner.policy import VERSION
from tuner.policy.version import version_of
from tuner.review.explain import explain
from tuner.review.verification.checker import verify_events
from tuner.review.verification.result import Findings
from tuner.spec.history import SpecHistory
from tuner.sweep import events as ev

OTHER = VERSION + 1


def two_drivers(first: int, second: int, steps: int = 40) -> list[ev.AnyEvent]:
    """A sweep that a driver of one version began and one of another ended, each deciding as this version does."""
    driven = Driven(make_spec(num_trials=24), 0, accuracy)
    driven.run(steps)
    driven.resume()
    driven.run()
    versions = iter([first, second])
    return [
        msgspec.structs.replace(event, policy=next(versions))
        if isinstance(event, ev.SweepStarted | ev.SweepResumed)
        else event
        for event in driven.events
    ]


def decisions(events: list[ev.AnyEvent]) -> int:
    return sum(isinstance(event, ev.TrialSuggested | ev.EpochReported) for event in events)


def resumed_at(events: list[ev.AnyEvent]) -> int:
    return next(at for at, event in enumerate(events) if isinstance(event, ev.SweepResumed))


def otherwise(events: list[ev.AnyEvent], part: slice) -> list[ev.AnyEvent]:
    """With other params and reasons in a part, as a policy of other rules would have had them."""
    changed: list[ev.AnyEvent] = []
    for event in events[part]:
        if isinstance(event, ev.TrialSuggested):
            event = msgspec.structs.replace(event, params={**event.params, "learning_rate": 0.0123})
        elif isinstance(event, ev.EpochReported) and event.reason:
            event = msgspec.structs.replace(event, reason=f"another rule: {event.reason}")
        changed.append(event)
    return [*events[: part.start or 0], *changed, *(events[part.stop :] if part.stop is not None else [])]


def checked(events: list[ev.AnyEvent]) -> tuple[list[str], dict[str, int], list[str], dict[str, str]]:
    """What verifying a journal tells of decisions: findings, counts, notes and what is skipped."""
    found, counts, notes, skipped = Findings(), dict[str, int](), list[str](), dict[str, str]()
    verify_events(events, (), found, counts, notes, skipped)
    return [str(one) for one in found if one.invariant == "decisions"], counts, notes, skipped


def test_a_journal_that_names_no_version_is_of_the_first() -> None:
    assert [version_of(policy) for policy in (0, 1, 2, 7)] == [1, 1, 2, 7]


@pytest.mark.parametrize("versions", [(VERSION, VERSION), (0, VERSION), (0, 0)])
def test_what_this_version_decided_is_recomputed_whether_named_or_not(versions: tuple[int, int]) -> None:
    events = two_drivers(*versions)
    found = recompute(events)
    assert (found.wrong, found.num, found.left) == ([], decisions(events), {})
    assert checked(events)[2:] == ([], {})
    assert len(verify(otherwise(events, slice(20, 60)))) > 5


@pytest.mark.parametrize("other", [3, 4, 99])
def test_what_another_version_decided_is_left_and_said_to_be_left(other: int) -> None:
    events = two_drivers(other, other)
    found = recompute(otherwise(events, slice(0, None)))
    assert (found.wrong, found.num, found.left) == ([], 0, {other: decisions(events)})
    lines, counts, notes, skipped = checked(events)
    assert (lines, notes, counts["decisions"]) == ([], [], 0)
    assert counts["decisions_not_recomputed"] == decisions(events)
    assert (
        f"{decisions(events)} decisions by version {other} of the policy cannot be recomputed" in skipped["decisions"]
    )


def test_a_sweep_of_two_versions_is_judged_where_this_one_decided_from_all_that_was_observed() -> None:
    events = two_drivers(OTHER, VERSION)
    at = resumed_at(events)
    first = otherwise(events, slice(0, at))
    driver = replay(SpecHistory(events).spec, events)
    assert state(driver)[0], "it has trials"
    found = recompute(events)
    assert (found.wrong, found.left) == ([], {OTHER: decisions(events[:at])})
    lines, counts, [note], skipped = checked(events)
    assert (lines, skipped) == ([], {}) and counts["decisions"] == decisions(events[at:])
    assert f"{decisions(events[:at])} decisions by version {OTHER}" in note and f"has version {VERSION}" in note
    assert not any("the journal has" in line for line in recompute(first[:at]).wrong)
    assert recompute(otherwise(events, slice(at, None))).wrong, "what this version decided is judged"


def test_what_this_version_began_and_another_ended_is_judged_up_to_there() -> None:
    events = two_drivers(VERSION, OTHER)
    at = resumed_at(events)
    assert recompute(otherwise(events, slice(at, None))).wrong == []
    assert recompute(otherwise(events, slice(0, at))).wrong != []


def test_a_trial_that_another_version_stopped_elsewhere_is_observed_as_it_went_on() -> None:
    """The rungs hold its values although this version would have stopped it long before."""
    events = two_drivers(OTHER, VERSION)
    at = resumed_at(events)
    going_on: list[Any] = [
        msgspec.structs.replace(event, decision="continue", reason="") if isinstance(event, ev.EpochReported) else event
        for event in events[:at]
        if not isinstance(event, ev.TrialEnded)
    ]
    assert recompute(going_on).wrong == []
    policy = replay(SpecHistory(going_on).spec, going_on)
    assert policy.num_suggested == sum(isinstance(event, ev.TrialSuggested) for event in going_on)


def test_differences_in_a_journal_that_names_no_version_are_told_with_what_may_be_the_reason() -> None:
    events = otherwise(two_drivers(0, VERSION), slice(20, 60))
    lines, _, notes, _ = checked(events)
    assert lines and any("before journals named the policy's version" in note for note in notes)
    named = otherwise(two_drivers(VERSION, VERSION), slice(20, 60))
    assert checked(named)[0] and checked(named)[2] == []


def test_an_outcome_that_does_not_follow_is_told_whoever_decided() -> None:
    events = make().events
    events[0] = msgspec.structs.replace(events[0], policy=OTHER)
    events = [msgspec.structs.replace(e, policy=OTHER) if isinstance(e, ev.SweepResumed) else e for e in events]
    assert checked(events)[0] == []
    at = next(at for at, event in enumerate(events) if isinstance(event, ev.TrialEnded))
    events[at] = msgspec.structs.replace(events[at], outcome="failed")
    assert checked(events)[0] != []


def test_a_space_that_another_version_found_exhausted_is_believed_to_be() -> None:
    def missing(policy: int) -> list[str]:
        events = make(num_trials=6).events
        spec = {**events[0].spec, "num_trials": 7}  # type: ignore[union-attr]
        events[0] = msgspec.structs.replace(events[0], spec=spec)
        events = [
            msgspec.structs.replace(e, policy=policy) if isinstance(e, ev.SweepStarted | ev.SweepResumed) else e
            for e in events
        ]
        found = Findings()
        verify_events(events, (), found, {})
        return [str(one) for one in found if one.invariant == "trials"]

    assert len(missing(VERSION)) == 1 and missing(OTHER) == []


def test_an_explanation_says_which_versions_decided() -> None:
    events = two_drivers(OTHER, VERSION)
    at = resumed_at(events)
    suggested = {event.trial for event in events[:at] if isinstance(event, ev.TrialSuggested)}
    ended = {event.trial for event in events[:at] if isinstance(event, ev.TrialEnded)}
    for trial in range(24):
        found = explain(events, trial)
        expected = (OTHER,) * (trial in suggested) + (VERSION,) * (trial not in ended)
        assert found.policies == expected
        assert found.other_policies == ((OTHER,) if trial in suggested else ())
    assert len(suggested - ended) >= 1


def test_the_history_of_a_spec_is_what_its_journal_made_of_it() -> None:
    spec = make_spec(num_trials=5).resolved()
    started = ev.SweepStarted(spec=spec, versions={}, seed=0, policy=4)
    history = SpecHistory([started, ev.SlotsChanged(slots=2)])
    first = history.spec
    assert (first.num_trials, history.policy, first is history.spec) == (5, 4, True)
    assert not history.take(ev.SlotsChanged(slots=1)) and history.spec is first
    assert history.take(ev.SweepResumed(changes={"num_trials": 9, "space.learning_rate.high": 0.05}))
    assert (history.spec.num_trials, history.policy) == (9, 0)
    assert spec["num_trials"] == 5 and started.spec["space"]["learning_rate"]["high"] == 0.1
