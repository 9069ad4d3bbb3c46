"""Sweeps of scripts: loops and commands as trials, killed and resumed; and what they log to MLflow."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.servers import MlflowServer
from tests.sweeps.conftest import ONE_SLOT, Cli, kill_group
from tuner.engine.replay import verify
from tuner.spec import dump_yaml
from tuner.sweep import events as ev

pytestmark = pytest.mark.slow(60)

LOOP = """
    import os
    import time

    import numpy as np

    def main(params, report):
        weights, start = np.ones(3), 0
        if report.checkpoint is not None:
            weights, start = np.load(report.checkpoint / "weights.npy"), report.epoch
        for epoch in range(start + 1, params.epochs + 1):
            time.sleep(1.5 if os.path.exists("hold") and epoch > 2 else 0.3)
            weights = weights * (1 - params.rate)
            folder = f"state-{report.trial}"
            os.makedirs(folder, exist_ok=True)
            np.save(f"{folder}/weights.npy", weights)
            print("epoch", epoch)
            if not report(epoch, {"loss": weights.sum()}, checkpoint=folder):
                return
"""
SHELL = """
    epoch=$((TUNER_CHECKPOINT_EPOCH + 1))
    while [ $epoch -le $2 ]; do
        if [ -e hold ] && [ $epoch -gt 2 ]; then sleep 1.5; else sleep 0.3; fi
        mkdir -p state-$TUNER_TRIAL
        echo $epoch > state-$TUNER_TRIAL/epoch
        echo "{\\"epoch\\": $epoch, \\"loss\\": $1, \\"checkpoint\\": \\"state-$TUNER_TRIAL\\"}" >&3
        echo "epoch $epoch"
        epoch=$((epoch + 1))
    done
"""
LOGS = """
    import sys, time
    import mlflow

    with mlflow.start_run(run_name="mine"):
        mlflow.log_params({"rate": sys.argv[1], "kind": "own"})
        mlflow.set_tag("by", "me")
        for epoch in range(2):
            mlflow.log_metric("loss", float(sys.argv[1]) / (epoch + 1), step=epoch)
            mlflow.log_metric("other", epoch, step=epoch)
    time.sleep(0.5)
    with mlflow.start_run(run_id=mlflow.last_active_run().info.run_id):
        mlflow.log_text("kept", "notes/a.txt")
        mlflow.log_text("", "empty.txt")
        assert mlflow.artifacts.load_text(mlflow.get_artifact_uri("notes/a.txt")) == "kept"
"""
KERAS = """
    import sys
    was_imported = "tensorflow" in sys.modules
    import keras
    import numpy as np

    def main(params, report):
        x = np.random.rand(16, 2)
        model = keras.Sequential([keras.layers.Dense(1, input_shape=(2,))])
        model.compile("sgd", "mse")
        history = model.fit(x, x.sum(axis=1), epochs=2, verbose=0).history["loss"]
        for epoch, loss in enumerate(history, 1):
            report(epoch, {"loss": loss, "was_imported": was_imported})
"""


def spec(folder: Path, **changes: Any) -> str:
    written = {
        "name": "script",
        "objective": {"metric": "loss", "mode": "min"},
        "num_trials": 2,
        "epochs": {"max": 8},
        "space": {"rate": {"low": 0.1, "high": 0.5}},
        "early_stopping": {"algorithm": "none"},
        **changes,
    }
    (folder / "sweep.yaml").write_text(dump_yaml(written))
    return str(folder / "sweep.yaml")


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("train.py", LOOP, {"trainable": "./train.py:main"}),
        ("train.sh", SHELL, {"command": ["sh", "train.sh", "{rate}", "{epochs}"]}),
    ],
)
def test_a_script_is_killed_with_its_driver_and_goes_on(
    cli: Cli, tmp_path: Path, file: str, text: str, what: dict[str, Any]
) -> None:
    (tmp_path / file).write_text(textwrap.dedent(text))
    (tmp_path / "hold").touch()
    process = cli.start("run", spec(tmp_path, **what))
    cli.wait_for(
        "script", lambda sweep: all(trial.checkpoints for trial in sweep.trials.values()) and sweep.trials != {}
    )
    kill_group(process)
    (tmp_path / "hold").unlink()
    cli("resume", "script")
    events = cli.events("script")
    attempts = [event for event in events if isinstance(event, ev.TrialStarted) and event.attempt > 1]
    assert attempts and all(event.epoch for event in attempts if event.trial == 0)  # from a checkpoint
    assert verify(events) == []
    shown = cli.json("trials", "script")
    assert [(trial["outcome"], trial["epochs"]) for trial in shown] == [("completed", 8)] * 2
    assert cli("logs", "script", "--trial", "1").stdout.splitlines()[-1] == "epoch 8"
    cli("verify", "script")
    cli("export", "script", "--output", str(tmp_path / "best"))
    assert len(list((tmp_path / "best").iterdir())) == 1


def test_a_loop_that_uses_keras_is_forked_with_tensorflow_imported_and_warns_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(textwrap.dedent(KERAS))
    said = cli("run", spec(tmp_path, trainable="./train.py:main", epochs={"max": 2}, resources=ONE_SLOT)).stderr
    assert said.count("UserWarning: Do not pass an `input_shape`") == 1
    assert all("UserWarning: Do not" in cli("logs", "script", "--trial", trial).stdout for trial in "01")
    told = [event for event in cli.events("script") if isinstance(event, ev.EpochReported)]
    assert [event.metrics["was_imported"] for event in told] == [1, 1, 1, 1]
    assert [trial["outcome"] for trial in cli.json("trials", "script")] == ["completed"] * 2


@pytest.mark.parametrize("place", ["a folder", "a bucket"])
def test_what_a_command_logs_to_mlflow_is_in_its_trials_run(
    cli: Cli, tmp_path: Path, s3_root: str, mlflow_server: MlflowServer, place: str
) -> None:
    import mlflow
    from mlflow import MlflowClient

    (tmp_path / "train.py").write_text(textwrap.dedent(LOGS))
    uri, more = f"sqlite:///{cli.root}/mlflow.db", {}
    if place == "a bucket":
        mlflow_server.start()
        cli.root, uri = s3_root, mlflow_server.url
        more = {"storage": s3_root, "tracking": {"uri": uri}}
    cli("run", spec(tmp_path, command="python train.py {rate}", epochs={"min": 1, "max": 2}, **more))
    cli("verify", "script")
    client = MlflowClient(uri)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    [parent] = [run for run in runs if "tuner.trial" not in run.data.tags]
    assert len(runs) == 3
    for run in runs:
        if run is not parent:
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
            assert (run.data.params["kind"], run.data.tags["by"]) == ("own", "me")
            assert [row.step for row in client.get_metric_history(run.info.run_id, "other")] == [1, 2]
            files = [item.path for item in client.list_artifacts(run.info.run_id)]
            assert files == ["empty.txt", "notes"]
            mlflow.set_tracking_uri(uri)
            assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt") == "kept"
    left = {path.name for path in tmp_path.iterdir()} - {"server"}
    assert left == {"sweep.yaml", "train.py"} | ({"sweeps"} if place == "a folder" else set())
