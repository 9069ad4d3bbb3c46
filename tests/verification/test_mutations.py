"""A checker that cannot fail is worthless: each way in which a sound history can break must be told."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.kit import make_spec
from tests.verification.made import KEEP, Made, Maker, make
from tuner import events as ev
from tuner.recording.plan import Row
from tuner.recording.reading import RecordedRun
from tuner.verification.result import INVARIANTS

replace = msgspec.structs.replace


@functools.cache
def _good(end: str) -> Made:
    return make(num_trials=24, seed=5, end=end)


def good(end: str = "finished") -> Made:
    """A sound history with every outcome that a trial's own training can have."""
    return _good(end).copy()


@pytest.mark.parametrize("end", ["finished", "interrupted"])
@pytest.mark.parametrize("seed", range(12))
def test_a_sound_history_has_no_violation(seed: int, end: str) -> None:
    assert [str(finding) for finding in make(seed=seed, end=end).verify()] == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "changes",
    [
        {"early_stopping__reduction_factor": 2},
        {"space__learning_rate__high": 0.02},
        {"checkpoints__keep": 1},
        {"checkpoints__keep": 6},
        {"failures__max_retries": 0},
    ],
    ids=str,
)
def test_a_sweep_that_was_changed_on_the_way_and_extended_after_its_end_is_sound(
    seed: int, changes: dict[str, Any]
) -> None:
    maker = Maker(make_spec(num_trials=12, search__seed=seed, checkpoints__keep=KEEP), seed)
    maker.run(40)
    maker.resumed(**changes)
    for num_trials in (16, 20):
        assert maker.run()
        maker.add(ev.SweepEnded(reason="all trials ended"))
        assert [str(finding) for finding in maker.made().verify()] == []
        maker.resumed(num_trials=num_trials)
    assert maker.run()
    maker.add(ev.SweepEnded(reason="all trials ended"))
    made = maker.made()
    assert [str(finding) for finding in made.verify()] == []
    assert len(made.runs) == 21


def test_the_history_that_is_mutated_has_everything_in_it() -> None:
    made = good()
    assert made.verify() == []
    outcomes = {event.outcome for event in made.events if isinstance(event, ev.TrialEnded)}
    assert outcomes == {"completed", "stopped", "diverged", "failed"}
    kinds = {type(event) for event in made.events}
    assert {ev.CheckpointSaved, ev.CheckpointsDeleted, ev.AttemptFailed, ev.SweepResumed} <= kinds
    assert any(isinstance(event, ev.TrialStarted) and event.epoch > 0 for event in made.events)


# Mutations of the journal. `at` finds the place; those that delete also close the gap in the numbers, as an event that
# was never written would.


def at(made: Made, event_type: type[Any], number: int = 0, /, **fields: Any) -> int:
    """The index of an event of this kind with these fields."""
    found = [
        index
        for index, event in enumerate(made.events)
        if isinstance(event, event_type) and all(getattr(event, name) == value for name, value in fields.items())
    ]
    return found[number]


def change(made: Made, index: int, **fields: Any) -> None:
    made.events[index] = replace(made.events[index], **fields)


def delete(made: Made, index: int) -> None:
    del made.events[index]
    renumber(made)


def insert(made: Made, index: int, event: ev.AnyEvent) -> None:
    made.events.insert(index, event)
    renumber(made)


def renumber(made: Made) -> None:
    made.events = [replace(event, seq=seq) for seq, event in enumerate(made.events)]


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


# Of MLflow.


def run_of(made: Made, trial: int | None) -> int:
    return [run.trial for run in made.runs].index(trial)


def change_run(made: Made, trial: int | None, alter: Callable[[RecordedRun], RecordedRun]) -> None:
    index = run_of(made, trial)
    made.runs[index] = alter(made.runs[index])


def lose_a_run(made: Made) -> None:
    del made.runs[run_of(made, 3)]


def lose_the_parent(made: Made) -> None:
    del made.runs[run_of(made, None)]


def a_second_run(made: Made) -> None:
    made.runs.append(dataclasses.replace(made.runs[run_of(made, 3)], run_id="other"))


def a_second_parent(made: Made) -> None:
    made.runs.append(dataclasses.replace(made.runs[run_of(made, None)], run_id="other"))


def a_run_of_no_trial(made: Made) -> None:
    made.runs.append(dataclasses.replace(made.runs[run_of(made, 3)], trial=77))


def a_run_left_running(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, status="RUNNING"))


def the_parent_left_running(made: Made) -> None:
    change_run(made, None, lambda run: dataclasses.replace(run, status="RUNNING"))


def a_diverged_run_finished(made: Made) -> None:
    trial = made.events[at(made, ev.TrialEnded, outcome="diverged")].trial  # type: ignore[union-attr]
    change_run(made, trial, lambda run: dataclasses.replace(run, status="FINISHED"))


def a_wrong_parent(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, parent_run_id="other"))


def alter_a_param(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, params=run.params | {"batch_size": "33"}))


def write_a_number_otherwise(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, params=run.params | {"epochs": "27.0"}))


def lose_a_param(made: Made) -> None:
    def alter(run: RecordedRun) -> RecordedRun:
        return dataclasses.replace(run, params={k: v for k, v in run.params.items() if k != "decay_rate"})

    change_run(made, 3, alter)


def a_param_too_many(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, params=run.params | {"units": "4"}))


def alter_a_tag(made: Made) -> None:
    change_run(made, 3, lambda run: dataclasses.replace(run, tags=run.tags | {"tuner.outcome": "cancelled"}))


def a_wrong_best_trial(made: Made) -> None:
    change_run(made, None, lambda run: dataclasses.replace(run, tags=run.tags | {"tuner.best_trial": "99"}))


def wrong_best_params(made: Made) -> None:
    change_run(made, None, lambda run: dataclasses.replace(run, tags=run.tags | {"tuner.best.batch_size": "1"}))


def a_wrong_best_run(made: Made) -> None:
    change_run(made, None, lambda run: dataclasses.replace(run, tags=run.tags | {"tuner.best_run_id": "run-99"}))


def with_rows(made: Made, trial: int | None, alter: Callable[[list[Row]], list[Row]]) -> None:
    change_run(made, trial, lambda run: dataclasses.replace(run, rows=tuple(alter(list(run.rows)))))


def diverged_trial(made: Made) -> int:
    trial = made.events[at(made, ev.TrialEnded, outcome="diverged")].trial  # type: ignore[union-attr]
    assert isinstance(trial, int)
    return trial


def of_key(rows: list[Row], key: str) -> Row:
    return next(row for row in rows if row.key == key)


def lose_a_row(made: Made) -> None:
    with_rows(made, 3, lambda rows: rows[1:])


def lose_a_nan(made: Made) -> None:
    with_rows(made, diverged_trial(made), lambda rows: [row for row in rows if not math.isnan(row.value)])


def repeat_a_row(made: Made) -> None:
    with_rows(made, 3, lambda rows: [*rows, dataclasses.replace(rows[0], at_ms=rows[0].at_ms + 1)])


def repeat_a_row_exactly(made: Made) -> None:
    with_rows(made, 3, lambda rows: [*rows, rows[0]])


def alter_a_value(made: Made) -> None:
    with_rows(made, 3, lambda rows: [dataclasses.replace(rows[0], value=rows[0].value + 1e-9), *rows[1:]])


def alter_a_step(made: Made) -> None:
    with_rows(made, 3, lambda rows: [dataclasses.replace(rows[0], step=rows[0].step + 1), *rows[1:]])


def alter_a_time(made: Made) -> None:
    with_rows(made, 3, lambda rows: [dataclasses.replace(rows[0], at_ms=0), *rows[1:]])


def lose_a_best_value(made: Made) -> None:
    with_rows(made, 3, lambda rows: [row for row in rows if row.key != "best_val_accuracy"])


def lose_the_training_time(made: Made) -> None:
    with_rows(made, 3, lambda rows: [row for row in rows if row.key != "training_s"])


def lose_a_point_of_the_parents_curve(made: Made) -> None:
    with_rows(made, None, lambda rows: rows[1:])


def alter_a_test_metric(made: Made) -> None:
    def alter(rows: list[Row]) -> list[Row]:
        row = of_key(rows, "test_accuracy")
        return [row for row in rows if row.key != "test_accuracy"] + [dataclasses.replace(row, value=0.99)]

    with_rows(made, best_trial(made), alter)


def lose_a_test_metric(made: Made) -> None:
    with_rows(made, best_trial(made), lambda rows: [row for row in rows if row.key != "test_accuracy"])


# Of checkpoints.


def best_trial(made: Made) -> int:
    return int(next(run for run in made.runs if run.trial is None).tags["tuner.best_trial"])


def best_file(made: Made) -> str:
    return next(path for path in made.files if f"/{best_trial(made):06d}/" in path)


def lose_a_file(made: Made) -> None:
    del made.files[best_file(made)]


def damage_a_file(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], error="BadZipFile: File is not a zip file")


def weights_of_another_epoch(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], best_epoch=1)


def a_file_without_weights(made: Made) -> None:
    path = best_file(made)
    made.files[path] = dataclasses.replace(made.files[path], num_best=0)


def an_orphan(made: Made) -> None:
    path = "checkpoints/000001/full-000001-attempt-001-9.npz"
    made.files[path] = dataclasses.replace(made.files[best_file(made)], path=path)


def delete_the_best_s_weights(made: Made) -> None:
    insert(made, len(made.events) - 1, ev.CheckpointsDeleted(trial=best_trial(made)))
    del made.files[best_file(made)]


def keep_all_of_the_best(made: Made) -> None:
    delete(made, at(made, ev.CheckpointsDeleted, trial=best_trial(made)))


def say_another_best_epoch(made: Made) -> None:
    change(made, at(made, ev.CheckpointSaved, trial=best_trial(made), kind="best"), best_epoch=1)


def keep_what_is_not_among_the_best(made: Made) -> None:
    trial = next(e.trial for e in made.events if isinstance(e, ev.CheckpointsDeleted) and not e.keeps_best)
    made.events = [e for e in made.events if not isinstance(e, ev.CheckpointsDeleted) or e.trial != trial]
    renumber(made)


MUTATIONS = {
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
    "mlflow": [
        lose_a_run, lose_the_parent, a_second_run, a_second_parent, a_run_of_no_trial, a_run_left_running,
        the_parent_left_running, a_diverged_run_finished, a_wrong_parent, alter_a_param, write_a_number_otherwise,
        lose_a_param, a_param_too_many, alter_a_tag, a_wrong_best_trial, a_wrong_best_run, wrong_best_params,
        lose_a_row, lose_a_nan, repeat_a_row, repeat_a_row_exactly, alter_a_value, alter_a_step, alter_a_time,
        lose_a_best_value, lose_the_training_time, lose_a_point_of_the_parents_curve, alter_a_test_metric,
        lose_a_test_metric, alter_a_value_at_a_rung,
    ],
    "checkpoints": [
        lose_a_file, damage_a_file, weights_of_another_epoch, a_file_without_weights, an_orphan,
        delete_the_best_s_weights, keep_all_of_the_best, say_another_best_epoch, keep_what_is_not_among_the_best,
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("invariant", "mutate"), [(name, mutate) for name, mutations in MUTATIONS.items() for mutate in mutations]
)
def test_a_mutation_is_told(invariant: str, mutate: Callable[[Made], None]) -> None:
    made = good()
    mutate(made)
    findings = made.verify()
    assert invariant in {finding.invariant for finding in findings}, [str(finding) for finding in findings]
    assert all("\n" not in finding.message and len(finding.message) <= 500 for finding in findings)


def test_of_many_violations_of_one_kind_a_few_are_told_and_all_are_counted() -> None:
    made = good()
    for index, run in enumerate(made.runs):
        made.runs[index] = dataclasses.replace(run, rows=())
    findings = made.verify()
    num_rows = sum(len(run.rows) for run in good().runs)
    assert len(findings) == 21 and findings[-1].message.startswith("and ")
    assert num_rows - 80 < sum(finding.times for finding in findings) <= num_rows
    assert {finding.kind for finding in findings} == {"lost"}


def interrupted_trial(made: Made) -> int:
    ended = {event.trial for event in made.events if isinstance(event, ev.TrialEnded)}
    return next(e.trial for e in made.events if isinstance(e, ev.CheckpointSaved) and e.trial not in ended)


def newest_file(made: Made) -> str:
    trial = interrupted_trial(made)
    return [e.path for e in made.events if isinstance(e, ev.CheckpointSaved) and e.trial == trial][-1]


def lose_the_newest(made: Made) -> None:
    del made.files[newest_file(made)]


def truncate_the_newest(made: Made) -> None:
    path = newest_file(made)
    made.files[path] = dataclasses.replace(made.files[path], error="EOFError: truncated")


def another_epoch_in_the_newest(made: Made) -> None:
    path = newest_file(made)
    made.files[path] = dataclasses.replace(made.files[path], epoch=1)


@pytest.mark.parametrize("mutate", [lose_the_newest, truncate_the_newest, another_epoch_in_the_newest])
def test_an_unfinished_trial_needs_its_newest_checkpoint(mutate: Callable[[Made], None]) -> None:
    made = good("interrupted")
    assert made.verify() == []
    mutate(made)
    assert {finding.invariant for finding in made.verify()} == {"checkpoints"}


def test_an_unfinished_trial_does_not_stay_running_once_the_driver_left() -> None:
    made = good("interrupted")
    change_run(made, interrupted_trial(made), lambda run: dataclasses.replace(run, status="RUNNING"))
    assert [finding.invariant for finding in made.verify()] == ["mlflow"]


def test_a_checkpoint_that_was_passed_over_explains_where_an_attempt_went_on_from() -> None:
    made = good()
    start_before_what_was_saved(made)
    [finding] = [finding for finding in made.verify() if finding.invariant == "rework"]
    name = finding.message.partition(", but checkpoints/")[2].partition(" ")[0].rpartition("/")[2]
    older = [e.path for e in made.events if isinstance(e, ev.CheckpointSaved) and e.kind == "full"]
    trial = int(finding.message.split()[1].rstrip(","))
    made.passed_over = frozenset({name})
    others = [path for path in older if f"/{trial:06d}/" in path and not path.endswith(name)]
    made.passed_over |= {path.rpartition("/")[2] for path in others}
    assert [finding for finding in made.verify() if finding.invariant == "rework"] == []


def test_every_invariant_has_a_mutation() -> None:
    assert set(INVARIANTS) - set(MUTATIONS) == {"policy", "best"}, "see test_decisions.py for those two"
