"""Sweeps from the command line to MLflow, on real Ray with real training."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.conftest import MODELS, ONE_SLOT, Cli, check_history, environment, finish, kill_group, slowed
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_the_embedded_default_ends_with_everything_recorded(cli: Cli) -> None:
    sampled = ("--set", "tracking.system_metrics=true")
    done = cli("run", "digits", "--set", "num_trials=10", "--name", "first", "--json", *sampled)
    shown = json.loads(done.stdout)
    assert shown == cli.json("show", "first")
    assert list(shown) == [
        "sweep", "state", "num_trials", "outcomes", "infeasible", "epochs", "best",
        "wall_s", "training_s", "slots", "utilization", "mlflow", "importance", "advice",
    ]  # fmt: skip
    assert list(shown["outcomes"]) == [
        "completed", "stopped", "plateaued", "diverged", "failed", "out_of_memory", "infeasible",
        "cancelled", "unfinished",
    ]  # fmt: skip
    assert list(shown["best"]) == ["trial", "value", "epoch", "params"]
    assert list(shown["mlflow"]) == ["uri", "experiment_id", "run_id", "backlog", "recorder"]
    assert (shown["sweep"], shown["state"], shown["num_trials"], shown["slots"]) == ("first", "finished", 10, 2)
    assert shown["mlflow"]["backlog"] == 0 and shown["best"]["value"] > 0.9
    assert 0 < shown["utilization"] <= 1 and shown["training_s"] > 0
    sweep = check_history(cli.folder("first"))
    for trial in sweep.trials.values():
        assert trial.examples == 1200 and trial.places[0][0] and trial.num_samples >= 1
    rows = cli.json("trials", "first")
    assert list(rows[0]) == [
        "trial", "params", "outcome", "reason", "epochs", "best", "last", "attempts", "training_s", "mlflow_run_id",
    ]  # fmt: skip
    assert [row["trial"] for row in rows] == list(range(10)) and all(row["mlflow_run_id"] for row in rows)
    assert sum(row["epochs"] for row in rows) == sweep.num_epochs == shown["epochs"]
    assert sweep.best is not None and "test_accuracy" in sweep.best.test_metrics
    assert "test_accuracy" in done.stderr and "tuner ui --storage" in done.stderr
    assert "finished, looks for the highest val_accuracy" in (cli.root / "first" / "report.html").read_text()
    assert [row["sweep"] for row in cli.json("list")] == ["first"]

    refused = cli("run", "digits", "--name", "first", exit_code=2)
    assert (
        f"resume it (tuner resume first --storage {cli.root}, or --or-resume), or choose another name (--name)"
        in refused.stderr
    )
    assert "is finished: all 10 trials ended" in cli("resume", "first").stderr


def test_diverging_and_failing_configurations_end_their_trials_only_with_the_line_that_says_why(
    cli: Cli, tiny_spec: Callable[..., str]
) -> None:
    failing = ["build", "surrogate", "none", "interrupt", "exit", "mute", "layer", "die"]
    space = {"learning_rate": 0.01, "batch_size": 32, "broken": {"choices": ["no", "nan", *failing]}}
    failures = {"max_retries": 1, "trial_timeout": "300s"}
    search = {"algorithm": "grid"}
    spec = tiny_spec(num_trials=10, space=space, search=search, failures=failures, resources=ONE_SLOT)
    assert "raylet" not in cli("run", spec).stderr
    sweep = check_history(cli.folder("tiny"))
    assert sweep.best is not None and sweep.best.params["broken"] == "no"
    rows = {row["params"]["broken"]: row for row in cli.json("trials", "tiny")}
    assert {broken for broken, row in rows.items() if row["outcome"] == "failed"} == set(failing)
    assert {(row["attempts"], row["epochs"]) for row in rows.values() if row["outcome"] == "failed"} == {(2, 0)}
    diverged = rows["nan"]
    assert [diverged[key] for key in ("outcome", "epochs", "best", "last")] == ["diverged", 1, None, None]
    assert r"cannot read caf\udce9.csv" in cli.folder("tiny").driver_log.read_text()
    reasons = {broken: rows[broken]["reason"] for broken in failing}
    assert reasons.pop("layer").startswith("ValueError: The total size of the tensor must be unchanged")
    assert reasons == {
        "build": "ValueError: units must be even",
        "surrogate": r"ValueError: cannot read caf\udce9.csv",
        "none": "TypeError: build_model must return a model, but it returned NoneType",
        "interrupt": "KeyboardInterrupt",
        "exit": "SystemExit: 3",
        "mute": "Mute",
        "die": "the worker process died: it ended with exit code 3",
    }


def test_a_trainable_that_always_raises_ends_the_sweep_early_with_exit_1(
    cli: Cli, tiny_spec: Callable[..., str]
) -> None:
    done = cli("run", tiny_spec("AlwaysRaises", num_trials=50, resources=ONE_SLOT), exit_code=1)
    assert "the first 10 trials failed" in done.stderr and "there is no such layer" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"All failures in full: tuner logs tiny --storage {cli.root}")
    assert "RuntimeError: there is no such layer" in cli("logs", "tiny").stdout
    shown = cli.json("show", "tiny")
    assert shown["state"] == "stopped" and shown["best"] is None
    assert shown["outcomes"]["failed"] == 10


def test_ctrl_c_while_the_end_is_recorded_says_what_is_missing(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes requests and answers none
        tracking = {"uri": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        spec = tiny_spec(num_trials=1, epochs={"max": 1}, resources=ONE_SLOT, tracking=tracking)
        driver = cli.start("run", spec, "--json")
        cli.wait_for("tiny", lambda sweep: sweep.ended is not None)
        assert driver.stderr is not None
        assert any("recording the rest in MLflow" in line for line in driver.stderr)
        driver.send_signal(signal.SIGINT)
        told, said = driver.communicate(timeout=60)
    assert driver.returncode == 3 and json.loads(told)["state"] == "finished", said
    last = said.splitlines()[-1]  # what is left may have been told before
    assert last.startswith("sweep tiny: all 1 trials ended, but ") and "tuner record tiny" in last, said


def test_an_interrupted_sweep_of_a_packages_class_goes_on_in_python_from_its_checkpoints_in_the_same_runs(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The class lies in a package of a src layout, which the cluster's workers find through the driver alone."""
    space, slow_while = slowed(tmp_path)
    package = tmp_path / "src" / "acme" / "models"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("from acme.models.tiny import Tiny\n")
    shutil.copy(MODELS / "tiny.py", package)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    trainable = "acme.models:Tiny"
    driver = cli.start("run", tiny_spec(trainable=trainable, space=space, num_trials=4, epochs={"min": 9, "max": 27}))
    cli.wait_for("tiny", lambda sweep: sum(len(trial.epochs) >= 2 for trial in sweep.unfinished) == 2)
    os.kill(driver.pid, signal.SIGINT)
    said = finish(driver, exit_code=3)
    assert "nothing is lost. Go on with it: tuner resume tiny --storage" in said
    before = cli.json("show", "tiny")
    assert before["state"] == "interrupted" and before["outcomes"]["unfinished"] == 2
    assert before["mlflow"]["backlog"] == 0
    runs = {row["trial"]: row["mlflow_run_id"] for row in cli.json("trials", "tiny")}
    assert _statuses(cli, "tiny") == {"KILLED"}

    slow_while.unlink()
    resume = f"import tuner; print(tuner.resume('tiny', storage={str(cli.root)!r}, address={cli.address!r}).state)"
    done = subprocess.run(
        [sys.executable, "-c", resume], capture_output=True, text=True, timeout=300, env=environment(), cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1:] == ["finished"], done.stderr
    sweep = check_history(cli.folder("tiny"))
    after = {row["trial"]: row["mlflow_run_id"] for row in cli.json("trials", "tiny")}
    assert runs.items() <= after.items()
    resumed = [e for e in cli.events("tiny") if isinstance(e, ev.TrialStarted) and e.attempt == 2]
    assert resumed and all(event.epoch > 0 for event in resumed), "a trial did not go on from its checkpoint"
    assert sweep.outcomes()["failed"] == 0


def test_a_killed_sweep_loses_nothing_that_was_journalled_and_goes_on_when_nobody_reads_what_it_says(
    cli: Cli, tiny_spec: Callable[..., str]
) -> None:
    spec = tiny_spec(num_trials=24, resources=ONE_SLOT)
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: sum(sweep.outcomes().values()) - sweep.outcomes()["unfinished"] >= 6)
    kill_group(driver)
    killed = cli.events("tiny")
    assert cli.json("show", "tiny")["state"] == "interrupted"

    second = cli.start("run", spec, "--or-resume")
    cli.wait_for("tiny", lambda sweep: len(sweep.spans) == 2)
    refused = cli("resume", "tiny", exit_code=2)
    assert f"process {second.pid} on" in refused.stderr and "another driver is running it" in refused.stderr
    so_far = len(killed) + 8
    cli.wait_for("tiny", lambda sweep: sweep.num_events >= so_far)
    os.kill(second.pid, signal.SIGTERM)
    assert "interrupted by SIGTERM; nothing is lost" in finish(second, exit_code=3)
    assert (
        "space.units: no trial so far has it, so it cannot be added; start a new sweep"
        in cli("resume", "tiny", "--set", "space.units=8", exit_code=2).stderr
    )

    reading, writing = os.pipe()
    os.close(reading)  # nobody reads what it says
    command = cli.command("resume", "tiny", "--num-trials", "26", "--set", "failures.max_retries=5", "--json")
    done = subprocess.run(command, stdout=writing, stderr=writing, timeout=300, env=environment())
    os.close(writing)
    assert done.returncode == 0
    events = cli.events("tiny")
    assert events[: len(killed)] == killed
    [*_, resumed] = [event for event in events if isinstance(event, ev.SweepResumed)]
    assert resumed.changes == {"num_trials": 26, "failures.max_retries": 5}
    assert len(check_history(cli.folder("tiny")).trials) == 26


def test_a_wrong_spec_is_refused_before_anything_starts(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("name: x\ntrainable: digits\nobjective: {metric: val_acc, mode: max}\nnum_trials: 1\nspace: {}\n")
    done = cli("run", str(path), exit_code=2)
    assert done.stderr.splitlines() == [
        f"{path}: epochs: is required, but is missing",
        f"{path}: objective.metric: must be a metric that the trainable reports, but got 'val_acc';"
        " did you mean 'val_accuracy'?",
    ]
    assert not cli.folder("x").path.exists()


def test_a_users_file_is_checked_before_the_first_trial(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    spec = tiny_spec(
        "WithKeras",
        objective={"metric": "val_maee", "mode": "min"},
        space={"learning_rate": 0.1, "batch_size": 1000},
    )
    done = cli("run", spec, exit_code=2)
    assert done.stderr.splitlines()[-2:] == [
        f"{spec}: objective.metric: must be a metric that the trainable reports, but got 'val_maee';"
        " did you mean 'val_mae'?",
        f"{spec}: space.batch_size: must not be above the training set's 192 examples, but got 1000",
    ]
    assert not cli.folder("tiny").path.exists()


def _statuses(cli: Cli, name: str) -> set[str]:
    from mlflow import MlflowClient

    client = MlflowClient(cli.folder(name).root.default_tracking_uri)
    shown = cli.json("show", name)
    runs = client.search_runs([shown["mlflow"]["experiment_id"]], max_results=1000)
    return {run.info.status for run in runs}
