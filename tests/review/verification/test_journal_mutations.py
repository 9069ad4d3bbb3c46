"""Each way in which a sound journal can break is told. A checker that cannot fail is worthless.

Mutations that leave an event out also close the gap in the numbers, as if it had never been written.
"""

from __future__ import annotations

import msgspec
import pytest

from tests.review.verification.made import Made
from tests.review.verification.mutating import (
    Mutation,
    assert_told,
    at,
    cases,
    change,
    delete,
    good,
    insert,
    renumber,
    replace,
)
from tuner.sweep import events as ev


def lose_an_event(made: Made) -> None:
    del made.events[at(made, ev.CheckpointSaved)]


def repeat_an_event(made: Made) -> None:
    made.events.insert(9, made.events[8])


def swap_two_events(made: Made) -> None:
    made.events[10], made.events[11] = made.events[11], made.events[10]


def lose_an_acknowledged_event(made: Made) -> None:
    made.acknowledged = list(made.events)
    made.events = made.events[:-1]


def alter_an_acknowledged_event(made: Made) -> None:
    made.acknowledged = list(made.events)
    change(made, at(made, ev.TrialStarted), node="elsewhere")


def lose_the_first_event(made: Made) -> None:
    delete(made, 0)


def start_again(made: Made) -> None:
    insert(made, 5, made.events[0])


def go_on_after_the_end(made: Made) -> None:
    made.events.append(replace(made.events[1], seq=len(made.events)))


def lose_a_suggestion(made: Made) -> None:
    delete(made, at(made, ev.TrialSuggested, 7))


def lose_the_last_trial(made: Made) -> None:
    made.events = [event for event in made.events if getattr(event, "trial", None) != 23]
    renumber(made)
    made.runs = [run for run in made.runs if run.trial != 23]


def suggest_twice(made: Made) -> None:
    index = at(made, ev.TrialSuggested, 7)
    insert(made, index, made.events[index])


def suggest_one_more(made: Made) -> None:
    event = replace(made.events[at(made, ev.TrialSuggested, 23)], trial=24)
    insert(made, len(made.events) - 1, event)


def lose_an_end(made: Made) -> None:
    delete(made, at(made, ev.TrialEnded, 4))


def end_twice(made: Made) -> None:
    index = at(made, ev.TrialEnded, 4)
    insert(made, index + 1, made.events[index])


def end_as_something_else(made: Made) -> None:
    change(made, at(made, ev.TrialEnded, outcome="stopped"), outcome="completed")


def end_with_another_reason(made: Made) -> None:
    change(made, at(made, ev.TrialEnded, outcome="failed"), reason="another")


def end_as_what_is_none(made: Made) -> None:
    change(made, at(made, ev.TrialEnded, outcome="stopped"), outcome="gone")


def end_without_a_reason_to(made: Made) -> None:
    index = at(made, ev.EpochReported, decision="continue")
    insert(made, index + 1, ev.TrialEnded(trial=made.events[index].trial, outcome="stopped", reason=""))  # type: ignore[union-attr]


def fail_with_retries_left(made: Made) -> None:
    delete(made, at(made, ev.AttemptFailed, trial=made.events[at(made, ev.TrialEnded, outcome="failed")].trial))  # type: ignore[union-attr]


def fail_for_a_node(made: Made) -> None:
    index = at(made, ev.TrialEnded, outcome="failed")
    change(made, at(made, ev.AttemptFailed, trial=made.events[index].trial), counts=False)  # type: ignore[union-attr]


def lose_an_epoch(made: Made) -> None:
    delete(made, at(made, ev.EpochReported, epoch=2))


def repeat_an_epoch(made: Made) -> None:
    index = at(made, ev.EpochReported, epoch=2)
    insert(made, index + 1, made.events[index])


def report_an_epoch_of_another_attempt(made: Made) -> None:
    change(made, at(made, ev.EpochReported, epoch=2), attempt=7)


def report_an_epoch_after_the_end(made: Made) -> None:
    trial = made.events[at(made, ev.TrialEnded, outcome="stopped")].trial  # type: ignore[union-attr]
    last = [e for e in made.events if isinstance(e, ev.EpochReported) and e.trial == trial][-1]
    insert(made, len(made.events) - 1, replace(last, epoch=last.epoch + 1))


def start_the_same_attempt_again(made: Made) -> None:
    index = at(made, ev.TrialStarted, attempt=2)
    insert(made, index, made.events[index])


def skip_an_attempt(made: Made) -> None:
    change(made, at(made, ev.TrialStarted, attempt=2), attempt=4)


def start_before_what_was_saved(made: Made) -> None:
    index = next(i for i, e in enumerate(made.events) if isinstance(e, ev.TrialStarted) and e.epoch > 0)
    change(made, index, epoch=0)


def start_after_what_was_trained(made: Made) -> None:
    change(made, at(made, ev.TrialStarted, attempt=2), epoch=26)


def go_on_after_a_stop(made: Made) -> None:
    trial = made.events[at(made, ev.TrialEnded, outcome="stopped")].trial  # type: ignore[union-attr]
    index = at(made, ev.TrialEnded, trial=trial)
    attempt = max(e.attempt for e in made.events if isinstance(e, ev.TrialStarted) and e.trial == trial)
    insert(made, index, ev.TrialStarted(trial=trial, attempt=attempt + 1, node="n", pid=1, gpus=[]))


def alter_a_suggestion(made: Made) -> None:
    index = at(made, ev.TrialSuggested, 20)
    params = made.events[index].params | {"learning_rate": 0.0123}  # type: ignore[union-attr]
    change(made, index, params=params)


def alter_an_origin(made: Made) -> None:
    change(made, at(made, ev.TrialSuggested, 20), origin="grid")


def alter_a_decision(made: Made) -> None:
    change(made, at(made, ev.EpochReported, epoch=1, decision="continue"), decision="stop")


def alter_a_decision_s_reason(made: Made) -> None:
    change(made, at(made, ev.EpochReported, epoch=1), reason="place 1 of 99 at epoch 1, the best 33 go on")


def alter_a_value_at_a_rung(made: Made) -> None:
    index = at(made, ev.EpochReported, 3, epoch=1)
    change(made, index, metrics=made.events[index].metrics | {"val_accuracy": 0.9999})  # type: ignore[union-attr]


def another_seed(made: Made) -> None:
    started = made.events[0]
    assert isinstance(started, ev.SweepStarted)
    change(made, 0, spec=started.spec | {"search": started.spec["search"] | {"seed": 99}})


def another_number_asked_for(made: Made) -> None:
    started = made.events[0]
    assert isinstance(started, ev.SweepStarted)
    change(made, 0, spec=started.spec | {"num_trials": 25})


MUTATIONS: dict[str, list[Mutation]] = {
    "events": [
        lose_an_event, repeat_an_event, swap_two_events, lose_an_acknowledged_event, alter_an_acknowledged_event,
        lose_the_first_event, start_again, go_on_after_the_end, lose_a_suggestion, lose_an_epoch, repeat_an_epoch,
        report_an_epoch_of_another_attempt, report_an_epoch_after_the_end, start_the_same_attempt_again,
        skip_an_attempt, start_after_what_was_trained, go_on_after_a_stop,
    ],
    "trials": [
        lose_the_last_trial, suggest_twice, suggest_one_more, lose_an_end, end_twice, end_as_what_is_none,
        another_number_asked_for,
    ],
    "decisions": [
        end_as_something_else, end_with_another_reason, end_without_a_reason_to, fail_with_retries_left,
        fail_for_a_node, go_on_after_a_stop, alter_a_suggestion, alter_an_origin, alter_a_decision,
        alter_a_decision_s_reason, alter_a_value_at_a_rung, another_seed,
    ],
    "rework": [start_before_what_was_saved],
}  # fmt: skip


@pytest.mark.parametrize(("invariant", "mutate"), cases(MUTATIONS))
def test_a_mutation_is_told(invariant: str, mutate: Mutation) -> None:
    assert_told(invariant, mutate)


def test_a_checkpoint_that_was_passed_over_explains_where_an_attempt_went_on_from() -> None:
    made = good()
    start_before_what_was_saved(made)
    [finding] = [finding for finding in made.verify() if finding.invariant == "rework"]
    trial = int(finding.message.split()[1].rstrip(","))
    older = [e.path for e in made.events if isinstance(e, ev.CheckpointSaved) and e.trial == trial and e.kind == "full"]
    made.events = [
        msgspec.structs.replace(e, passed_over=older) if isinstance(e, ev.TrialStarted) and e.trial == trial else e
        for e in made.events
    ]
    assert [finding for finding in made.verify() if finding.invariant == "rework"] == []
