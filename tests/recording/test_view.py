"""The view of MLflow's page of runs that a sweep brings with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.recording.note import note, run_name
from tuner.recording.plan import PARENT, Planner
from tuner.recording.view import CHARS_MAX, TAG, view, view_key
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def sweep(**changes: Any) -> Sweep:
    return fold([started(**changes)])


def started(**changes: Any) -> ev.SweepStarted:
    spec = make_spec(**changes).resolved()
    return ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id="0" * 32, at=1.0, seq=0)


def test_the_table_shows_what_was_searched_and_the_best_first() -> None:
    shown = json.loads(view(sweep()))
    assert shown["selectedColumns"] == [
        "metrics.`best_val_accuracy`",
        *(f"params.`{name}`" for name in ("learning_rate", "batch_size", "epochs", "schedule", "decay_rate")),
        "metrics.`epochs_trained`",
        "tags.`tuner.outcome`",
    ]
    assert (shown["orderByKey"], shown["orderByAsc"]) == ("metrics.`best_val_accuracy`", False)
    assert shown["searchFilter"] == f"tags.`tuner.sweep_id` = '{'0' * 32}' AND tags.`tuner.trial` LIKE '%'"
    lowest = json.loads(view(sweep(objective={"metric": "val_loss", "mode": "min"})))
    assert lowest["orderByAsc"] and lowest["orderByKey"] == "metrics.`best_val_loss`"


def test_charts_show_all_trials_by_what_was_searched() -> None:
    charts = {chart["type"]: chart for chart in json.loads(view(sweep()))["compareRunCharts"]}
    assert charts["PARALLEL"]["selectedParams"] == ["learning_rate", "batch_size", "schedule", "decay_rate"]
    assert charts["PARALLEL"]["showAllRuns"] and charts["LINE"]["metricKey"] == "val_accuracy"
    assert charts["CONTOUR"]["zaxis"] == {"key": "batch_size", "type": "PARAM"}
    without_rate = json.loads(view(sweep(space={"learning_rate": 0.1, "units": {"low": 1, "high": 9}})))
    assert [chart["type"] for chart in without_rate["compareRunCharts"]] == ["PARALLEL", "LINE", "SCATTER"]


def test_an_expression_and_lists_have_the_names_that_mlflow_shows() -> None:
    space = {
        "depth": {"low": 1, "high": 2},
        "units": {"low": 1, "high": 9, "repeat": "depth"},
    }
    objective = {"metric": "val_loss + 0.1 * loss", "mode": "min"}
    shown = json.loads(view(sweep(space=space, objective=objective)))
    assert shown["orderByKey"] == "metrics.`best_objective`"
    params = [column for column in shown["selectedColumns"] if column.startswith("params")]
    assert params[-2:] == ["params.`units_0`", "params.`units_1`"]


def test_a_large_space_fits_into_a_tag() -> None:
    space = {f"a_parameter_with_quite_a_long_name_{n}": {"low": 0.0, "high": 1.0} for n in range(60)}
    text = view(sweep(space=space))
    assert len(text) <= CHARS_MAX and "params.`a_parameter_with_quite_a_long_name_0`" in text


def test_the_experiment_has_it_from_the_start_and_the_sweep_links_to_it() -> None:
    update = Planner().plan([started()])[PARENT]
    assert update.of_experiment == {f"{TAG}{view_key(sweep())}": view(sweep())}
    assert update.new is not None
    text = update.new.tags["mlflow.note.content"].text  # type: ignore[union-attr]
    assert f"#/experiments/EXPERIMENT-ID/runs?workflowType=machine_learning&viewStateShareKey=tuner-{'0' * 32}" in text


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"learning_rate": 0.003312, "batch_size": 64, "units": 3}, "trial 45 · lr 0.0033 · batch 64"),
        ({"learning_rate": 1.234e-5, "epochs": 9}, "trial 45 · lr 0.000012"),
        ({"epochs": 9, "C": 10, "kernel": "rbf", "gamma": 0.1}, "trial 45 · C 10 · kernel rbf"),
        ({}, "trial 45"),
    ],
)
def test_the_name_of_a_run_tells_its_trial_apart(params: dict[str, Any], expected: str) -> None:
    assert run_name(45, params) == expected


def test_the_description_says_how_to_go_on() -> None:
    assert "tuner resume test " in note(sweep()) and "[Its trials" not in note(sweep())
