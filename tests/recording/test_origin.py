"""Where runs come from: commit, versions, node, card and speed, as tags and figures of MLflow's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from tests.recording.conftest import Story
from tuner.recording.names import RULES, Names
from tuner.recording.plan import PARENT, Planner, RunUpdate
from tuner.recording.view import view
from tuner.sweep import events as ev
from tuner.sweep import fold

GIT = {"commit": "1f0c" * 10, "branch": "main", "url": "https://example.org/it.git", "dirty": True}
CODE = {"main": "m.py", "files": {}, "digest": "d", "packages": {}}


def started(story: Story, **fields: Any) -> list[ev.AnyEvent]:
    """The story's events, begun as today's drivers begin."""
    first = story.events[0]
    assert isinstance(first, ev.SweepStarted)
    return [replace(first, **{"names": RULES, **fields}), *story.events[1:]]


def planned(events: list[ev.AnyEvent]) -> dict[int | None, RunUpdate]:
    return Planner().plan(events)


def start(trial: int, **fields: Any) -> ev.TrialStarted:
    return ev.TrialStarted(**{"trial": trial, "attempt": 1, "node": "10.0.0.1", "pid": 1, "gpus": [], **fields})


def created(update: RunUpdate) -> dict[str, Any]:
    assert update.new is not None
    return update.new.tags | update.tags


def test_every_run_names_the_commit_and_whether_it_is_all(story: Story) -> None:
    story.trial(0, [0.5])
    runs = planned(started(story, git=GIT))
    for run in (PARENT, 0):
        tags = created(runs[run])
        assert (tags["mlflow.source.git.commit"], tags["tuner.git_dirty"]) == ("1f0c" * 10, "true")
    parent = created(runs[PARENT])
    assert parent["mlflow.source.git.branch"] == "main"
    assert parent["mlflow.source.git.repoURL"] == "https://example.org/it.git"
    assert parent["tuner.git"] == "1f0c1f0c1f0c on main with changes"


@pytest.mark.parametrize("git", [{}, {"commit": 7}, {"commit": "x" * 40}, {"branch": "main"}])
def test_without_a_commit_there_is_no_word_of_git(story: Story, git: dict[str, Any]) -> None:
    story.trial(0, [0.5])
    for run, update in planned(started(story, git=git)).items():
        assert not [name for name in created(update) if "git" in name], run


def test_a_resume_tells_both_commits_and_trains_with_the_code_that_was_kept(story: Story) -> None:
    story.suggest(0)
    story.add(ev.SweepResumed(changes={}, git={"commit": "ab" * 20, "branch": "next", "dirty": False}))
    story.suggest(1)
    runs = planned(started(story, git=GIT, code=CODE))
    assert created(runs[PARENT])["tuner.git"] == "1f0c1f0c1f0c on main with changes, then abababababab on next"
    assert {created(runs[run])["mlflow.source.git.commit"] for run in (PARENT, 0, 1)} == {"1f0c" * 10}


def test_code_that_a_resume_brings_is_of_its_commit(story: Story) -> None:
    story.suggest(0)
    story.add(ev.SweepResumed(changes={}, code=CODE, git={"commit": "ab" * 20, "dirty": False}))
    story.suggest(1)
    runs = planned(started(story, git=GIT, code=CODE))
    assert {created(runs[run])["mlflow.source.git.commit"] for run in (PARENT, 0, 1)} == {"ab" * 20}
    assert created(runs[0])["tuner.git_dirty"] == "false"


def test_versions_are_told_and_what_a_resume_changed(story: Story) -> None:
    story.add(ev.SweepResumed(changes={}), ev.SweepResumed(changes={}, versions={"numpy": "2.2", "keras": "3.15"}))
    tags = created(planned(started(story, versions={"numpy": "2.1", "keras": "3.15"}))[PARENT])
    assert (tags["tuner.version.numpy"], tags["tuner.version.keras"]) == ("2.1, then 2.2", "3.15")


def test_a_trial_tells_its_nodes_and_cards(story: Story) -> None:
    story.suggest(0)
    story.add(
        start(0, attempt=2, gpus=["0", "1"], gpu_names=["NVIDIA A100", "NVIDIA A100"]),
        start(0, attempt=3, node="10.0.0.2", gpus=["1"]),
    )
    tags = created(planned(story.events)[0])
    assert tags["tuner.node"] == "here, then 10.0.0.1, then 10.0.0.2"
    assert tags["tuner.gpu"] == "2 x NVIDIA A100, then GPU 1"


def test_a_trial_without_a_card_has_no_tag_of_one(story: Story) -> None:
    story.trial(0, [0.5])
    assert "tuner.gpu" not in created(planned(story.events)[0])


def test_examples_a_second_are_a_figure_of_a_trial(story: Story) -> None:
    story.suggest(0)
    story.add(start(0, examples=1000))
    story.epoch(0, 1, 0.5)
    story.epoch(0, 2, 0.6)
    story.end(0, "completed")
    rows = {row.key: row.value for row in planned(started(story))[0].rows}
    assert rows["examples_per_s"] == 2000.0, "two epochs of half a second each"
    assert "examples_per_s" not in {row.key for row in planned(story.events)[0].rows}, "of an older sweep"


def test_without_examples_or_epochs_there_is_no_speed(story: Story) -> None:
    story.trial(0, [0.5])
    story.suggest(1)
    story.add(start(1, examples=1000))
    story.end(1, "cancelled")
    runs = planned(started(story))
    assert not [row for run in (0, 1) for row in runs[run].rows if row.key == "examples_per_s"]


def keys(story: Story, **fields: Any) -> tuple[str, str]:
    names = Names.of(started(story, **fields))
    return names.metric("examples_per_s"), names.metric("Examples_Per_S")


def test_a_users_metric_of_that_name_has_a_key_of_its_own(story: Story) -> None:
    story.suggest(0)
    epoch = ev.EpochReported(trial=0, attempt=1, epoch=1, metrics={}, epoch_s=1.0, decision="continue", reason="")
    story.add(replace(epoch, metrics={"examples_per_s": 1.0, "Examples_Per_S": 2.0}))
    assert all(key.startswith("xamples_per_s.x", 1) or ".x" in key for key in keys(story))
    assert len({*keys(story), "examples_per_s"}) == 3
    assert keys(story, names=0)[0] == "examples_per_s", "older sweeps keep theirs"
    assert keys(story, script=True)[0] == "examples_per_s", "scripts report it themselves"


def test_the_view_draws_the_users_metric_where_it_is_the_objective(story: Story) -> None:
    spec = story.spec | {"objective": {"metric": "examples_per_s", "mode": "max"}}
    shown = json.loads(view(fold(started(story, spec=spec))))
    [curves] = [chart for chart in shown["compareRunCharts"] if chart["type"] == "LINE"]
    assert curves["metricKey"].startswith("examples_per_s.x")


def test_params_that_some_store_shortens_are_an_artifact_in_full(story: Story) -> None:
    story.suggest(0, layers="x" * 501)
    story.suggest(1, layers="x" * 500)
    runs = planned(story.events)
    whole = runs[0].texts["params.json"]
    assert isinstance(whole, str) and json.loads(whole)["layers"] == "x" * 501
    assert not runs[1].texts


def test_a_run_has_a_name_that_every_store_takes(story: Story) -> None:
    story.add(ev.TrialSuggested(trial=0, params={"x" * 300: "a\0b", "epochs": 1}, origin="tpe"))
    new = planned(story.events)[0].new
    assert new is not None and len(new.name) <= 250 and "\0" not in new.name


def test_what_a_node_did_is_recorded_under_mlflows_own_names(story: Story) -> None:
    story.suggest(0)
    story.add(ev.SystemSampled(trial=0, samples=[{"ago_s": 1.5, "cpu_utilization_percentage": 40.0}]))
    sample = {"ago_s": 0.0, "cpu_utilization_percentage": 60.0, "gpu_0_utilization_percentage": 99.0}
    story.add(ev.SystemSampled(trial=0, samples=[sample]))
    first, second = (int(event.at * 1000) for event in story.events[-2:])
    assert [(row.key, row.value, row.at_ms, row.step) for row in planned(story.events)[0].rows] == [
        ("system/cpu_utilization_percentage", 40.0, first - 1500, 0),
        ("system/cpu_utilization_percentage", 60.0, second, 1),
        ("system/gpu_0_utilization_percentage", 99.0, second, 1),
    ]
