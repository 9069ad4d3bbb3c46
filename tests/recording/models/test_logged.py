"""Models in MLflow: one for each best epoch, however often recorders die; told where there is none."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tuner.base.errors import TrackingError
from tuner.recording import read_cursor, record
from tuner.recording.models import building
from tuner.recording.models.building import NotBuiltError
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel

pytestmark = [pytest.mark.slow(5), pytest.mark.filterwarnings("ignore")]

PACKAGES = {"keras": "keras==3.15.1", "tensorflow": "tensorflow-cpu==2.21.0", "numpy": "numpy==2.4.6"}


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The trials whose model was built, by a stand-in for the process that has TensorFlow."""
    trials: list[int] = []

    def build(self: Any, sweep: Any, wanted: Any, beat: Callable[[], None]) -> Path:
        trials.append(wanted.trial)
        if "refused" in wanted.weights:
            raise NotBuiltError("it has a Lambda layer")
        folder = Path(tempfile.mkdtemp(dir=self._scratch.name))
        (folder / "model.keras").write_bytes(b"a model")
        described = {"packages": PACKAGES, "backend": "tensorflow", "objects": {}}
        (folder / "model.json").write_text(json.dumps(described))
        return folder

    monkeypatch.setattr(building.Builder, "build", build)
    return trials


def trained(story: Story, trial: int, value: float, weights: str = "best") -> None:
    story.suggest(trial)
    story.epoch(trial, 1, value)
    path = f"checkpoints/{trial:06}/{weights}.npz"
    story.add(ev.CheckpointSaved(trial=trial, epoch=1, path=path, best_epoch=1, kind="best", test={"test_loss": 0.25}))
    story.end(trial, "completed")


def ended(story: Story) -> None:
    story.add(ev.SweepEnded(reason="all trials ended"))


def client_of(story: Story) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{story.folder.root.path}/mlflow.db")


def models(story: Story) -> list[LoggedModel]:
    cursor = read_cursor(story.folder)
    found = client_of(story).search_logged_models([cursor.experiment_id])
    return sorted(found, key=lambda model: str(model.name))


def tags(story: Story, trial: int | None = None) -> dict[str, str]:
    cursor = read_cursor(story.folder)
    run = client_of(story).get_run(cursor.run_id if trial is None else cursor.trials[trial])
    return {name: text for name, text in run.data.tags.items() if "model" in name}


def outputs(story: Story, trial: int | None = None) -> list[str]:
    cursor = read_cursor(story.folder)
    run = client_of(story).get_run(cursor.run_id if trial is None else cursor.trials[trial])
    return [one.model_id for one in run.outputs.model_outputs] if run.outputs else []


def test_the_best_trial_s_model_is_linked_to_its_runs_params_and_metrics(recorded: Story, built: list[int]) -> None:
    trained(recorded, 0, 0.5)
    trained(recorded, 1, 0.75)
    record(recorded.folder)
    assert built == [] and models(recorded) == []
    ended(recorded)
    record(recorded.folder)
    [model] = models(recorded)
    assert built == [1] and model.name == "s-trial-1" and model.status == "READY"
    assert model.source_run_id == read_cursor(recorded.folder).trials[1]
    assert outputs(recorded) == outputs(recorded, 1) == [model.model_id] and outputs(recorded, 0) == []
    assert tags(recorded) == {"tuner.best_model": model.model_id}
    assert tags(recorded, 1) == {"tuner.model": model.model_id, "tuner.model_epoch": "1"}
    assert model.params["learning_rate"] == "0.001" and model.tags["tuner.trial"] == "1"
    metrics = {metric.key: metric.value for metric in model.metrics}
    assert metrics["val_accuracy"] == metrics["best_val_accuracy"] == 0.75 and metrics["test_loss"] == 0.25
    [folder] = recorded.folder.root.path.glob("mlartifacts/models/*/artifacts")
    assert (folder / "data" / "model.keras").read_bytes() == b"a model"
    [_, *packages] = (folder / "requirements.txt").read_text().split()
    assert packages == list(PACKAGES.values())


def test_a_recorder_that_dies_in_the_middle_is_followed_by_one_that_goes_on(
    recorded: Story, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    trained(recorded, 0, 0.5)
    ended(recorded)
    steps = ("create_logged_model", "log_outputs", "log_model_artifacts", "finalize_logged_model")
    told: list[str] = []
    for name in steps:
        original = getattr(MlflowClient, name)

        def fails_afterwards(self: Any, *args: Any, original: Any = original, **options: Any) -> Any:
            original(self, *args, **options)
            raise ConnectionError("no answer")

        monkeypatch.setattr(MlflowClient, name, fails_afterwards)
        record(recorded.folder, tell_news=told.append)
        monkeypatch.setattr(MlflowClient, name, original)
    assert len(told) == len(steps) and all("try again with: " in line and "record s" in line for line in told)
    record(recorded.folder)
    record(recorded.folder)
    [model] = models(recorded)
    assert model.status == "READY" and outputs(recorded) == outputs(recorded, 0) == [model.model_id]
    assert tags(recorded) == {"tuner.best_model": model.model_id}
    assert built == [0] * (len(steps) + 1)
    assert len(model.metrics) == len({metric.key for metric in model.metrics})


def test_a_resume_that_finds_a_better_trial_logs_its_model_and_keeps_the_other(
    recorded: Story, built: list[int]
) -> None:
    trained(recorded, 0, 0.5)
    ended(recorded)
    record(recorded.folder)
    recorded.add(ev.SweepResumed(changes={"num_trials": 2}))
    trained(recorded, 1, 0.75)
    ended(recorded)
    record(recorded.folder)
    first, second = models(recorded)
    assert built == [0, 1]
    assert tags(recorded) == {"tuner.best_model": second.model_id}
    assert tags(recorded, 0)["tuner.model"] == first.model_id
    assert {*outputs(recorded)} == {first.model_id, second.model_id}


def test_a_model_that_a_user_deletes_stays_deleted(recorded: Story, built: list[int]) -> None:
    trained(recorded, 0, 0.5)
    ended(recorded)
    record(recorded.folder)
    client_of(recorded).delete_logged_model(models(recorded)[0].model_id)
    record(recorded.folder)
    assert models(recorded) == [] and built == [0]


def test_why_there_is_no_model_is_told_and_mended_later(recorded: Story, built: list[int]) -> None:
    trained(recorded, 0, 0.5, weights="refused")
    ended(recorded)
    told: list[str] = []
    assert record(recorded.folder, tell_news=told.append) == len(recorded.events)
    assert told == ["warning: the model of trial 0 is not logged to MLflow: it has a Lambda layer"]
    assert tags(recorded) == tags(recorded, 0) == {"tuner.model_reason": "it has a Lambda layer"}
    recorded.add(ev.SweepResumed(changes={}))
    path = "checkpoints/000000/best.npz"
    recorded.add(ev.CheckpointSaved(trial=0, epoch=1, path=path, best_epoch=1, kind="best"))
    ended(recorded)
    record(recorded.folder)
    [model] = models(recorded)
    assert tags(recorded) == {"tuner.best_model": model.model_id} and "tuner.model_reason" not in tags(recorded, 0)


def test_all_that_are_kept(new_story: type[Story], recorded: Story, built: list[int], tmp_path: Path) -> None:
    story = new_story(
        recorded.folder.root.sweep("kept"), tracking={"uri": None, "experiment": "k", "log_models": "kept"}
    )
    trained(story, 0, 0.5)
    trained(story, 1, 0.75, weights="refused")
    trained(story, 2, 0.625, weights="refused")
    ended(story)
    told: list[str] = []
    record(story.folder, tell_news=told.append)
    assert told == ["warning: the model of trial 1 is not logged to MLflow: it has a Lambda layer"], "once a reason"
    assert "tuner.model_reason" in tags(story, 2)
    assert built == [1, 2, 0] and [model.name for model in models(story)] == ["kept-trial-0"]
    assert "tuner.best_model" not in tags(story) and "tuner.model_reason" in tags(story)


def test_an_interrupted_sweep_has_one_only_where_that_is_cheap(recorded: Story, built: list[int]) -> None:
    trained(recorded, 0, 0.5)
    recorded.add(ev.SweepInterruptedEvent(reason="SIGINT"))
    record(recorded.folder)
    assert built == []


def test_a_store_that_takes_no_model_leaves_the_sweep_complete(
    recorded: Story, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuner.recording.models.logged import LoggedModels

    def refuse(self: Any, *args: Any) -> None:
        raise TrackingError("no room")

    monkeypatch.setattr(LoggedModels, "begin", refuse)
    trained(recorded, 0, 0.5)
    ended(recorded)
    told: list[str] = []
    assert record(recorded.folder, tell_news=told.append) == len(recorded.events)
    assert read_cursor(recorded.folder).work == "" and "no room" in told[0]


def test_a_server_that_is_too_old_for_models_is_told_of_once_and_nothing_is_built(
    new_story: type[Story], recorded: Story, built: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND

    def missing(self: Any, *args: Any, **options: Any) -> None:
        failed = "API request to endpoint /api/2.0/mlflow/logged-models/search failed with error code 404 != 200."
        raise MlflowException(f"{failed} Response body: 'no'", error_code=ENDPOINT_NOT_FOUND)

    monkeypatch.setattr(MlflowClient, "search_logged_models", missing)
    story = new_story(
        recorded.folder.root.sweep("old"), tracking={"uri": None, "experiment": "k", "log_models": "kept"}
    )
    trained(story, 0, 0.5)
    trained(story, 1, 0.75)
    ended(story)
    told: list[str] = []
    assert record(story.folder, tell_news=told.append) == len(story.events)
    assert built == [] and len(told) == 1 and "older than MLflow 3" in told[0] and "log_models: none" in told[0]
    assert "older than MLflow 3" in tags(story)["tuner.model_reason"]
