"""Addresses of MLflow's pages, and that MLflow understands what they ask for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tuner.recording import read_cursor, record
from tuner.recording.links import experiments_page, trials_page
from tuner.recording.saved_view import tag_name, view_key
from tuner.recording.view_tag import ensure_view
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import fold

if TYPE_CHECKING:
    from conftest import Story


def test_the_page_of_experiments_is_that_of_trainings() -> None:
    page = "https://mlflow.example/#/experiments?workflowType=machine_learning"
    assert experiments_page("https://mlflow.example/") == experiments_page("https://mlflow.example") == page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("mode", "best_first"), [("max", [1, 2, 0]), ("min", [0, 2, 1])])
def test_the_page_of_trials_has_the_sweeps_own_best_first(
    tmp_path: Path, new_story: type[Story], empty_database: Path, mode: str, best_first: list[int]
) -> None:
    from mlflow import MlflowClient

    shutil.copy(empty_database, tmp_path / "mlflow.db")
    for name in ("s", "other"):  # in one experiment
        story = new_story(StorageRoot(tmp_path).sweep(name), objective={"metric": "val_accuracy", "mode": mode})
        for number, value in enumerate([0.25, 0.75, 0.5]):
            story.trial(number, [value])
        record(story.folder)
    folder = StorageRoot(tmp_path).sweep("s")
    experiment = read_cursor(folder).experiment_id
    sweep = fold(read_events(folder))
    path, _, query = urlsplit(trials_page("http://host:1/", experiment, sweep, has_view=False)).fragment.partition("?")
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    assert (path, asked["workflowType"]) == (f"/experiments/{experiment}/runs", "machine_learning")

    order = f"{asked['orderByKey']} {'ASC' if asked['orderByAsc'] == 'true' else 'DESC'}"
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([experiment], asked["searchFilter"], order_by=[order])
    assert {run.data.tags["tuner.sweep"] for run in runs} == {"s"}
    assert [int(run.data.tags["tuner.trial"]) for run in runs] == best_first

    shared = json.loads(client.get_experiment(experiment).tags[tag_name(sweep.sweep_id)])
    assert (shared["searchFilter"], shared["orderByKey"]) == (asked["searchFilter"], asked["orderByKey"])
    assert trials_page("http://host:1", experiment, sweep).endswith(f"viewStateShareKey={view_key(sweep.sweep_id)}")
    client.delete_experiment_tag(experiment, tag_name(sweep.sweep_id))
    assert ensure_view(f"sqlite:///{tmp_path}/mlflow.db", experiment, sweep), "an earlier version recorded it"
    assert json.loads(client.get_experiment(experiment).tags[tag_name(sweep.sweep_id)]) == shared
    assert not ensure_view(f"sqlite:///{tmp_path}/none.db", experiment, sweep)
