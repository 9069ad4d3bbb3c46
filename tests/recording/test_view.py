"""The view of MLflow's page of runs that a sweep brings with it."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.recording.note import note, run_name
from tuner.recording.plan import PARENT, Planner
from tuner.recording.saved_view import CHARS_MAX, LISTED_MAX, tag_name, text_to_set
from tuner.recording.view import COLUMNS_MAX, view
from tuner.recording.view_charts import draws_all
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
    assert charts["PARALLEL"]["selectedParams"] == ["learning_rate", "batch_size", "schedule"], "decay_rate: not all"
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


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"low": 1e-4, "high": 1e-1}, True),
        ({"choices": ["sgd", "adam"]}, True),
        ({"choices": [16, 32.5, "64"]}, True),
        ({"choices": [True, False]}, True),
        ({"choices": [None, 0.5]}, False),
        ({"choices": ["none", 1]}, False),
        ({"choices": [f"layer {n}" for n in range(31)]}, False),
        ({"low": 1, "high": 9, "when": {"kind": "deep"}}, False),
        (0.5, False),
    ],
)
def test_an_axis_of_the_parallel_coordinates_draws_every_trial(written: Any, expected: bool) -> None:
    assert draws_all({"it": written}, "it") == expected


def test_the_values_of_a_list_have_axes_if_every_trial_has_as_many() -> None:
    space = {"units": {"low": 1, "high": 9, "repeat": 2}, "rates": {"low": 0.1, "high": 0.9, "repeat": "depth"}}
    assert draws_all(space, "units_1") and not draws_all(space, "rates_0")


def test_the_menu_of_views_lists_it_and_older_pages_read_it() -> None:
    """The menu wants a name, a time and the state as text; older pages read the fields of the state."""
    shown = json.loads(view(sweep()))
    assert (shown["name"], shown["createdAt"], shown["updatedAt"]) == ("Sweep test", 1000, 1000)
    state = state_of(shown["state"])
    assert state == {key: value for key, value in shown.items() if key in state} and state["searchFilter"]


def state_of(text: str) -> dict[str, Any]:
    kind, _, packed = text.partition(";")
    assert kind == "deflate"
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


@pytest.mark.parametrize(("num_params", "is_listed"), [(4, True), (16, False), (60, False)])
def test_a_large_space_fits_into_a_tag(num_params: int, is_listed: bool) -> None:
    space = {f"a_parameter_with_quite_a_long_name_{n}": {"low": 0.0, "high": 1.0} for n in range(num_params)}
    text = view(sweep(space=space))
    state = json.loads(text) if text.startswith("{") else state_of(text)
    assert len(text) <= CHARS_MAX and ("state" in state) == is_listed
    shown = [column for column in state["selectedColumns"] if "quite_a_long" in column]
    assert len(shown) == min(num_params, COLUMNS_MAX)


def test_a_view_that_somebody_changed_is_left_alone() -> None:
    name, text = tag_name("0" * 32), view(sweep())
    assert text_to_set(name, text, {}) == text
    assert text_to_set(name, text, {name: text}) is None, "it is there"
    of_an_earlier_version = json.dumps({"searchFilter": "", "selectedColumns": []})
    assert text_to_set(name, text, {name: of_an_earlier_version}) == text
    changed = json.dumps({"name": "mine", "createdAt": 1, "updatedAt": 2, "state": "deflate;eJw="})
    assert text_to_set(name, text, {name: changed}) is None


def test_people_can_still_save_views_where_many_sweeps_are() -> None:
    """MLflow's page saves no view where forty are listed."""
    name, text = tag_name("0" * 32), view(sweep())
    others = {tag_name(f"{n:032}"): text for n in range(1, LISTED_MAX + 1)}
    unlisted = text_to_set(name, text, others)
    assert unlisted is not None and "state" not in json.loads(unlisted) and "columnOrder" in json.loads(unlisted)
    assert text_to_set(name, text, {**others, name: unlisted}) is None
    assert text_to_set(name, text, {**others, name: text}) == unlisted
    del others[tag_name(f"{1:032}")]
    assert text_to_set(name, text, others) == text


def test_the_experiment_has_it_from_the_start_and_the_sweep_links_to_it() -> None:
    update = Planner().plan([started()])[PARENT]
    assert update.of_experiment == {tag_name("0" * 32): view(sweep())}
    assert update.new is not None
    text = update.new.tags["mlflow.note.content"].text  # type: ignore[union-attr]
    assert f"#/experiments/EXPERIMENT-ID/runs?workflowType=machine_learning&viewStateShareKey=tuner-{'0' * 32}" in text


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"learning_rate": 0.003312, "batch_size": 64, "units": 3}, "trial 45 · lr 0.0033 · batch 64"),
        ({"learning_rate": 1.234e-5, "epochs": 9}, "trial 45 · lr 0.000012"),
        ({"lr": 0.0027, "batch_size": 16, "width": 8, "epochs": 4}, "trial 45 · lr 0.0027 · batch 16"),
        ({"epochs": 9, "C": 10, "kernel": "rbf", "gamma": 0.1}, "trial 45 · C 10 · kernel rbf"),
        ({}, "trial 45"),
    ],
)
def test_the_name_of_a_run_tells_its_trial_apart(params: dict[str, Any], expected: str) -> None:
    assert run_name(45, params) == expected


def test_the_description_says_how_to_go_on() -> None:
    assert "tuner resume test " in note(sweep()) and "[Its trials" not in note(sweep())
    given = sweep(trainable="python:Mine")
    for call in ("tuner.resume('test', trainable=Mine) ", "tuner.load('test', trainable=Mine).best_model() "):
        assert call in note(given)
    assert "tuner resume" not in note(given)  # no command can give the class
