"""Each way in which MLflow can differ from a sound journal is told."""

from __future__ import annotations

import dataclasses
import math

import pytest

from tests.review.verification.made import Made
from tests.review.verification.mutating import (
    Mutation,
    assert_told,
    at,
    best_trial,
    cases,
    change_run,
    good,
    of_key,
    run_of,
    with_rows,
)
from tuner.recording.names import Names
from tuner.recording.plan import Row
from tuner.recording.reading import RecordedRun
from tuner.sweep import events as ev


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


def diverged_trial(made: Made) -> int:
    trial = made.events[at(made, ev.TrialEnded, outcome="diverged")].trial  # type: ignore[union-attr]
    assert isinstance(trial, int)
    return trial


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


def a_second_value_at_one_step(made: Made) -> None:
    with_rows(made, 3, lambda rows: [*rows, dataclasses.replace(rows[0], value=0.123)])


def a_key_that_nobody_made(made: Made) -> None:
    with_rows(made, 3, lambda rows: [*rows, dataclasses.replace(rows[0], key="val_accuracy_")])


def a_key_of_the_sweeps_that_nobody_made(made: Made) -> None:
    with_rows(made, None, lambda rows: [*rows, dataclasses.replace(rows[0], key="loss")])


MUTATIONS: dict[str, list[Mutation]] = {
    "mlflow": [
        lose_a_run, lose_the_parent, a_second_run, a_second_parent, a_run_of_no_trial, a_run_left_running,
        the_parent_left_running, a_diverged_run_finished, a_wrong_parent, alter_a_param, write_a_number_otherwise,
        lose_a_param, a_param_too_many, alter_a_tag, a_wrong_best_trial, a_wrong_best_run, wrong_best_params,
        lose_a_row, lose_a_nan, repeat_a_row, repeat_a_row_exactly, alter_a_value, alter_a_step, alter_a_time,
        lose_a_best_value, lose_the_training_time, lose_a_point_of_the_parents_curve, alter_a_test_metric,
        lose_a_test_metric, a_second_value_at_one_step, a_key_that_nobody_made, a_key_of_the_sweeps_that_nobody_made,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("invariant", "mutate"), cases(MUTATIONS))
def test_a_mutation_is_told(invariant: str, mutate: Mutation) -> None:
    assert_told(invariant, mutate)


def test_of_many_violations_of_one_kind_a_few_are_told_and_all_are_counted() -> None:
    made = good()
    for index, run in enumerate(made.runs):
        made.runs[index] = dataclasses.replace(run, rows=())
    findings = made.verify()
    num_rows = sum(len(run.rows) for run in good().runs)
    assert len(findings) == 21 and findings[-1].message.startswith("and ")
    assert num_rows - 80 < sum(finding.times for finding in findings) <= num_rows
    assert {finding.kind for finding in findings} == {"lost"}


def test_an_unfinished_trial_does_not_stay_running_once_the_driver_left() -> None:
    made = good("interrupted")
    ended = {event.trial for event in made.events if isinstance(event, ev.TrialEnded)}
    trial = next(
        event.trial for event in made.events if isinstance(event, ev.TrialSuggested) and event.trial not in ended
    )
    change_run(made, trial, lambda run: dataclasses.replace(run, status="RUNNING"))
    assert [finding.invariant for finding in made.verify()] == ["mlflow"]


def test_two_values_at_one_step_and_a_key_that_nobody_made_are_told_as_such() -> None:
    made = good()
    a_second_value_at_one_step(made)
    a_key_that_nobody_made(made)
    told = [finding.message for finding in made.verify()]
    assert any(line.startswith("trial 3: key 'loss' has 2 values at step 1: 0.123, ") for line in told)
    assert "trial 3: key 'val_accuracy_' stands for nothing in the journal" in told
    assert len(told) == 3  # and the row itself


@pytest.mark.parametrize("shared", ["metric", "param", "best_param"])
def test_two_names_with_one_key_are_told(monkeypatch: pytest.MonkeyPatch, shared: str) -> None:
    monkeypatch.setattr(Names, shared, lambda self, name: "best_epoch")
    told = [finding.message for finding in good().verify()]
    what = {
        "metric": "metric 'loss' has",
        "param": "param 'batch_size' has",
        "best_param": "tag of param 'batch_size' has",
    }
    assert any(line.startswith(f"{what[shared]} the key 'best_epoch', which is ") for line in told)
