"""The layout in MLflow, on the default store, as scripts and people find it."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tuner.recording import read_cursor, record
from tuner.recording.recorder import Recorder
from tuner.recording.target import RunsLostError
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

START_MS = 1_700_000_000_000


def drain(recorder: Recorder) -> None:
    recorder.read()
    while recorder.step():
        pass


def test_a_sweep_is_one_parent_and_a_child_a_trial(recorded: Story, database: Database) -> None:
    recorded.trial(0, [0.5, 0.75])
    recorded.trial(1, [0.25, None], "diverged")
    recorded.suggest(2, schedule="exponential", decay_rate=0.5, staircase=True)
    recorded.end(2, "cancelled", "by the user")
    recorded.add(ev.SweepEnded(reason="all trials ended"))
    assert record(recorded.folder) == len(recorded.events)

    runs = database.runs()
    assert {name: status for name, (status, _, _) in runs.items()} == {
        "s": "FINISHED",
        "trial 0": "FINISHED",
        "trial 1": "FAILED",
        "trial 2": "KILLED",
    }
    assert runs["s"][1:] == (START_MS, START_MS + 1000 * (len(recorded.events) - 1))
    assert runs["trial 0"][1:] == (START_MS + 1000, START_MS + 5000)

    cursor = read_cursor(recorded.folder)
    tags = database.values("tags", "trial 0")
    assert tags["mlflow.parentRunId"] == cursor.run_id
    assert (tags["tuner.sweep"], tags["tuner.sweep_id"], tags["tuner.trial"]) == ("s", "id-s", "0")
    assert (tags["mlflow.source.name"], tags["mlflow.user"]) == ("digits", getpass.getuser())
    assert database.values("tags", "trial 2")["tuner.reason"] == "by the user"

    same = {"learning_rate": "0.001", "batch_size": "32", "epochs": "3"}
    assert database.values("params", "trial 0") == same | {"schedule": "constant", "decay_rate": "inactive"}
    assert database.values("params", "trial 2") == same | {
        "schedule": "exponential",
        "decay_rate": "0.5",
        "staircase": "true",
    }

    assert database.metric("trial 0", "val_accuracy") == [(1, START_MS + 3000, 0.5), (2, START_MS + 4000, 0.75)]
    assert [value for _, _, value in database.metric("trial 1", "loss")] == [0.25, None]
    assert [value for _, _, value in database.metric("trial 0", "best_val_accuracy")] == [0.75]
    assert [value for _, _, value in database.metric("trial 0", "training_s")] == [1.0]
    assert [value for _, _, value in database.metric("trial 2", "epochs_trained")] == [0]

    parent = database.values("tags", "s")
    assert (parent["tuner.best_trial"], parent["tuner.best_run_id"]) == ("0", cursor.trials[0])
    assert parent["tuner.best.learning_rate"] == "0.001"
    assert "Best: val_accuracy 0.7500 in trial 0, epoch 2" in parent["mlflow.note.content"]
    assert [(step, value) for step, _, value in database.metric("s", "best_val_accuracy")] == [(1, 0.5), (2, 0.75)]

    [(location, name)] = database.rows("select artifact_location, name from experiments where name != 'Default'")
    assert (location, name) == (f"file://{recorded.folder.root.artifacts}", "digits")
    spec = recorded.folder.root.artifacts / cursor.run_id / "artifacts" / "spec.yaml"
    assert "name: s\n" in spec.read_text()
    assert "finished, looks for the highest val_accuracy" in spec.with_name("report.html").read_text()


def test_interrupted_then_resumed_the_runs_are_the_same_ones(recorded: Story, database: Database) -> None:
    recorded.trial(0, [0.5])
    recorded.suggest(1)
    recorded.epoch(1, 1, 0.25)
    recorded.add(ev.SweepInterruptedEvent(reason="Ctrl-C"))
    record(recorded.folder)
    at_ms = START_MS + 1000 * (len(recorded.events) - 1)
    assert database.runs()["trial 1"] == ("KILLED", START_MS + 5000, at_ms)
    assert database.runs()["s"] == ("KILLED", START_MS, at_ms)
    before = read_cursor(recorded.folder)

    recorded.add(ev.SweepResumed(changes={}))
    record(recorded.folder)
    assert {name: status for name, (status, _, _) in database.runs().items()} == {
        "s": "RUNNING",
        "trial 0": "FINISHED",
        "trial 1": "RUNNING",
    }

    recorded.epoch(1, 2, 0.75)
    recorded.end(1, "completed")
    recorded.add(ev.SweepEnded(reason="all trials ended"))
    record(recorded.folder)
    after = read_cursor(recorded.folder)
    assert {status for status, _, _ in database.runs().values()} == {"FINISHED"}
    assert (after.run_id, after.trials) == (before.run_id, before.trials)
    assert [step for step, _, _ in database.metric("trial 1", "loss")] == [1, 2]


def test_an_older_server_takes_what_is_long_in_short(
    recorded: Story, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlflow.utils.validation.MAX_PARAM_VAL_LENGTH", 500)
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    monkeypatch.setattr("mlflow.utils.validation.MAX_TAG_VAL_LENGTH", 5000)
    recorded.suggest(0, units="x" * 4000)
    recorded.end(0, "failed", "y" * 7000)
    record(recorded.folder)
    kept = database.values("params", "trial 0")["units"]
    assert len(kept) == 500 and "… (4000 characters, sha256 " in kept
    assert len(database.values("tags", "trial 0")["tuner.reason"]) == 5000
    params = recorded.folder.root.artifacts / read_cursor(recorded.folder).trials[0] / "artifacts" / "params.json"
    assert json.loads(params.read_text())["units"] == "x" * 4000


def test_what_mlflow_refuses_is_left_out_alone(recorded: Story, database: Database) -> None:
    recorded.suggest(0, units="x" * 9000)
    recorded.epoch(0, 1, 0.5)
    record(recorded.folder)
    params = database.values("params", "trial 0")
    assert len(params["units"]) == 6000
    record(recorded.folder)
    recorded.folder.cursor.unlink()
    recorded.events.clear()
    lines = recorded.folder.journal.read_bytes().replace(b'"units":"x', b'"units":"y')
    recorded.folder.journal.write_bytes(lines.replace(b'"loss":0.5', b'"loss":0.5,"new":0.125'))
    record(recorded.folder)  # an equal param again is taken, another value is not
    assert database.values("params", "trial 0")["units"].startswith("x")
    assert [value for _, _, value in database.metric("trial 0", "new")] == [0.125]


def test_a_run_that_the_user_deleted_stays_deleted(recorded: Story, database: Database) -> None:
    from mlflow import MlflowClient

    recorded.suggest(0)
    recorded.suggest(1)
    record(recorded.folder)
    cursor = read_cursor(recorded.folder)
    MlflowClient(cursor.uri).delete_run(cursor.trials[0])
    recorded.epoch(0, 1, 0.5)
    recorded.epoch(1, 1, 0.5)
    record(recorded.folder)
    assert set(database.runs()) == {"s", "trial 1"}
    assert len(database.metric("trial 1", "loss")) == 1


def test_a_store_that_lost_its_runs_is_filled_again(recorded: Story, database: Database) -> None:
    recorded.trial(0, [0.5])
    recorder = Recorder(recorded.folder)
    drain(recorder)
    expected = database.everything()
    for table in ("metrics", "latest_metrics", "params", "tags", "runs", "experiments"):
        database.execute(f"delete from {table}")
    recorded.trial(1, [0.25])
    with pytest.raises(RunsLostError):
        drain(recorder)
    drain(recorder)
    recorder.close()
    assert set(database.runs()) == {"s", "trial 0", "trial 1"}
    assert set(expected["metrics"]) < set(database.everything()["metrics"])


def test_the_whole_sweep_can_be_recorded_in_another_store(
    recorded: Story, database: Database, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(
        recorded.folder.root.path
    )  # where MLflow puts the artifacts of a database that is not the default
    recorded.trial(0, [0.5])
    elsewhere = recorded.folder.root.path / "other.db"
    elsewhere.write_bytes(empty_database.read_bytes())
    record(recorded.folder)
    expected = database.everything()
    assert record(recorded.folder, f"sqlite:///{elsewhere}") == len(recorded.events)
    assert type(database)(elsewhere).everything() == expected


@pytest.mark.parametrize("at_work", [False, True])
def test_a_deleted_experiment_is_restored(recorded: Story, database: Database, at_work: bool) -> None:
    from mlflow import MlflowClient

    recorder = Recorder(recorded.folder)
    drain(recorder)
    cursor = read_cursor(recorded.folder)
    MlflowClient(cursor.uri).delete_experiment(cursor.experiment_id)
    recorded.trial(0, [0.5])
    if at_work:
        with pytest.raises(RunsLostError):
            drain(recorder)
        drain(recorder)
    record(recorded.folder)
    assert set(database.runs()) == {"s", "trial 0"}


def test_a_sweep_resumed_elsewhere_is_recorded_there_in_full(recorded: Story, database: Database) -> None:
    recorded.trial(0, [0.5])
    recorder = Recorder(recorded.folder)
    drain(recorder)
    recorded.add(ev.SweepResumed(changes={"tracking.experiment": "another"}))
    recorded.trial(1, [0.75])
    drain(recorder)
    recorder.close()
    query = "select e.name, count(*) from runs r join experiments e using (experiment_id) group by 1 order by 1"
    assert database.rows(query) == [("another", 3), ("digits", 2)]
