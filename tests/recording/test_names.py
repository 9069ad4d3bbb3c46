"""The rules by which names become MLflow's keys, without MLflow's stores."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.recording.nasty import NASTY
from tuner.recording.names import (
    KEY_CHARS_MAX,
    Names,
    best_key,
    best_objective_key,
    changed_key,
    earlier_key,
    folded,
    metric_key,
    param_key,
)
from tuner.sweep import events as ev

OURS = {"best_epoch", "epochs_trained", "training_s"}

hard = st.one_of(
    st.sampled_from([*NASTY, "\udce9", "a\ud800"]),
    st.text(st.characters(codec=None)),
    st.text("./_ :-@#aA\0\n", max_size=8),
    st.text("ab/. ", min_size=220, max_size=260),
    st.sampled_from(NASTY).map(metric_key),
    st.builds(str.__add__, st.sampled_from(["best_", "test_", "system/", "tuner.best.", ""]), st.sampled_from(NASTY)),
)


def epoch(*metrics: str) -> ev.EpochReported:
    return ev.EpochReported(
        trial=0, attempt=1, epoch=1, metrics=dict.fromkeys(metrics, 1.0), epoch_s=1, decision="continue", reason=""
    )


def all_keys(names: list[str]) -> dict[str, tuple[str, str]]:
    """What every name becomes in every place, by the key; fails where two become one."""
    table = Names()
    table.see(epoch(*names))
    table.see(ev.TrialSuggested(trial=0, params=dict.fromkeys(names, 1), origin="tpe"))
    metrics: dict[str, tuple[str, str]] = {key: ("ours", key) for key in OURS}
    params: dict[str, tuple[str, str]] = {}
    tags = {key: ("ours", key) for key in ("tuner.best_trial", "tuner.best_run_id", "tuner.sweep", "mlflow.user")}
    places: list[tuple[dict[str, tuple[str, str]], str, Callable[[str], str]]] = [
        (metrics, "metric", table.metric),
        (metrics, "best", best_key),
        (metrics, "test", lambda name: table.test(f"test_{name}")),
        (params, "param", table.param),
        (tags, "tag", table.best_param),
    ]
    for found, place, key_of in places:
        for name in names:
            key = key_of(name)
            assert key not in found, f"{place} {name!r} has the key {key!r} of {found[key]}"
            found[key] = (place, name)
    return metrics | params | tags


def assert_injective(names: list[str]) -> None:
    for key in all_keys(names):
        assert 0 < len(key) <= KEY_CHARS_MAX


def test_no_two_of_many_nasty_names_have_one_key() -> None:
    assert_injective(NASTY)


@given(st.lists(hard, unique=True, max_size=12))
@example(["x" * 300, "best_" * 60, "best_" * 59 + "best_x"])
def test_no_two_names_have_one_key(names: list[str]) -> None:
    assert_injective(names)


@given(hard, hard)
def test_what_becomes_of_a_name_may_be_a_name_too(one: str, other: str) -> None:
    for name in (one, other):
        names = list(dict.fromkeys((name, metric_key(name), metric_key(metric_key(name)), one, other)))
        assert_injective(names)


@given(st.lists(hard, unique=True, max_size=12))
def test_a_database_that_ignores_case_and_accents_tells_all_keys_apart(names: list[str]) -> None:
    table = Names()
    table.see(epoch(*names))
    keys = [table.metric(name) for name in names] + sorted(OURS)
    assert len({folded(key).rstrip() for key in keys}) == len(keys)


@pytest.mark.parametrize(
    "name",
    [
        "loss", "val_loss", "val/top-5 acc.x_1", "top_5", "AUC", "é", "准确率", "a:b", ".a", "a.", "a/b/c", "x2",
        "learning_rate", "epoch_s", "epoch", "latest_", "systems/x", "attest_x", "best", "test", "training_s2",
        "x.x1234", "l" * 250,
    ],
)  # fmt: skip
def test_what_mlflow_takes_and_nobody_else_needs_stays_as_it_is(name: str) -> None:
    assert metric_key(name) == param_key(name) == Names().metric(name) == name


def test_names_that_must_change_can_still_be_read() -> None:
    assert metric_key("top@5") == param_key("top@5") == "top_5.xe67973ec5b00"
    assert metric_key("val/top@5").startswith("val/top_5.x")
    assert metric_key("best_epoch").startswith("best_epoch.x")
    assert metric_key("system/cpu").startswith("system_cpu.x")  # MLflow's page has what begins with system/ elsewhere
    assert metric_key(".").startswith("_.x")
    assert best_key("top@5") == "best_top_5.xe67973ec5b00"
    assert param_key("top@5", "tuner.best.") == "tuner.best.top_5.xe67973ec5b00"


@pytest.mark.parametrize("name", ["best_epoch", "best_f1", "test_auc", "epochs_trained", "training_s", "Best_Epoch"])
def test_a_parameter_may_have_a_name_that_a_metric_may_not(name: str) -> None:
    assert param_key(name) == name != metric_key(name)


def test_the_best_value_of_a_metric_called_epoch_is_not_the_best_epoch() -> None:
    assert best_key("epoch") not in OURS
    assert best_key("epoch_s") == "best_epoch_s"


def test_of_names_that_differ_in_case_the_first_in_the_journal_keeps_its_own() -> None:
    names = Names.of([epoch("AUC", "loss"), epoch("auc", "AUC", "Auc")])
    assert [names.metric(name) for name in ("AUC", "loss")] == ["AUC", "loss"]
    assert names.metric("auc") == changed_key("auc") != changed_key("Auc") == names.metric("Auc")
    assert names.test("test_auc") == changed_key("auc", "test_") and names.test("AUC") == "test_AUC"
    params = Names.of([ev.TrialSuggested(trial=0, params={"C": 1, "c": 2}, origin="tpe")])
    assert (params.param("C"), params.best_param("C")) == ("C", "tuner.best.C")
    assert (params.param("c"), params.best_param("c")) == (changed_key("c"), changed_key("c", "tuner.best."))


def test_what_stands_for_what_is_told_as_json() -> None:
    spec = {"objective": {"metric": "top@5", "mode": "max"}, "space": {"größe%": 1, "units": 2}}
    names = Names.of([ev.SweepStarted(spec=spec, versions={}, seed=0), epoch("top@5", "loss")])
    assert json.loads(names.text()) == {
        "metrics": {metric_key("top@5"): "top@5", best_key("top@5"): "best_top@5"},
        "params": {param_key("größe%"): "größe%"},
    }
    assert "größe%" in names.text()
    plain = {"objective": {"metric": "loss", "mode": "min"}, "space": {"units": 2}}
    assert Names.of([ev.SweepStarted(spec=plain, versions={}, seed=0), epoch("loss")]).text() == ""


def test_earlier_versions_had_other_keys() -> None:
    keys = {name: earlier_key(name) for name in ("top@5", "a//b", "../a", "", "é", "best_epoch", "k" * 300)}
    assert list(keys.values()) == ["top_5", "a__b", "___a", "_", "é", "best_epoch", "k" * 249 + "_"]


@pytest.mark.slow
@given(hard)
def test_mlflows_own_rules_take_every_key(name: str) -> None:
    from mlflow.utils.validation import _validate_metric, _validate_param, _validate_tag

    for key in all_keys([name]):
        _validate_metric(key, 1.0, 0, 0)
        _validate_param(key, "1")
        _validate_tag(key, "1")


def started(objective: str) -> ev.SweepStarted:
    return ev.SweepStarted(spec={"objective": {"metric": objective, "mode": "min"}}, versions={}, seed=0)


def test_an_expression_is_recorded_as_the_objective() -> None:
    text = "val_loss + 0.1 * latency_ms"
    names = Names.of([started(text), epoch("val_loss", text, "objective", "Objective")])
    assert names.metric(text) == "objective" and best_objective_key(text) == "best_objective"
    keys = {names.metric(name) for name in ("val_loss", text, "objective", "Objective")}
    assert len({folded(key) for key in keys}) == 4  # a metric of that name keeps apart
    assert names.changed()["metrics"]["objective"] == text
    assert names.changed()["metrics"]["best_objective"] == f"best_{text}"


def test_an_objective_that_is_a_name_keeps_its_key() -> None:
    for name in ("val_loss", "val/top-5", "objective"):
        names = Names.of([started(name), epoch(name)])
        assert names.metric(name) == name and best_objective_key(name) == f"best_{name}"
