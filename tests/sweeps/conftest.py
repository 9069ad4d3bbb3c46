"""Real sweeps: the command line in a process of its own, one Ray cluster for all tests that do not kill it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import run_here
from tests.servers import MlflowServer
from tuner.engine.replay import verify
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

SPACE = {"learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"}, "batch_size": {"choices": [16, 32]}}
SLOW_SPACE = {
    "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
    "batch_size": 16,
    "pause_s": 0.01,
}
"""Epochs of an eighth of a second."""
ONE_SLOT = {"cpus_per_trial": 2}
"""On the cluster of these tests one worker, where a test is not about several: each imports TensorFlow."""
FILES = {"WithKeras": "imports_keras.py"}
MODELS = Path(__file__).parent / "models"
TOLD = ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN")
"""What a driver might be told of a cluster by its environment."""
READS = ("show", "trials", "list", "logs", "verify")
"""Commands that only read: they run in the tests' own process."""


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of two CPUs on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 2, "include_dashboard": False, "object_store_memory": 10**9},
        )
        yield cluster.address
        cluster.shutdown()


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty tracking store of MLflow's."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tuner.recording.sqlite import create_database

        create_database(f"sqlite:///{path}")
    return path


@pytest.fixture
def mlflow_server(tmp_path: Path, mlflow_database: Path) -> Iterator[MlflowServer]:
    """A tracking server with an SQLite store, not started."""
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(mlflow_database.read_bytes())
    server = MlflowServer(f"sqlite:///{folder}/mlflow.db", folder)
    yield server
    server.stop()


@dataclass
class Cli:
    """Runs `tuner` commands on one storage root."""

    root: Path | str
    """A folder, or a URL."""
    address: str
    database: Path
    """An empty tracking store, whose making takes seconds; each root gets a copy."""
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *arguments: str, address: bool = True) -> list[str]:
        command = [sys.executable, "-m", "tuner.cli.main", *arguments]
        if arguments[0] not in ("schema", "trainables"):
            command += ["--storage", str(self.root)]
        return command + (["--address", self.address] if address else [])

    def __call__(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        self._prepare()
        if arguments[0] in READS:
            told = dict.fromkeys((*TOLD, "TUNER_STORAGE"))
            with warnings.catch_warnings():  # which the command line ignores, for the rest of a process
                done = run_here(*arguments, "--storage", str(self.root), environment=told)
        else:
            done = subprocess.run(
                self.command(*arguments, address=arguments[0] in ("run", "resume")),
                capture_output=True,
                text=True,
                timeout=300,
                env=environment(),
            )
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json").stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command in the background, in a process group of its own; killed at the test's end at the latest."""
        self._prepare()
        process = subprocess.Popen(
            self.command(*arguments, address=arguments[0] in ("run", "resume")),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def _prepare(self) -> None:
        if isinstance(self.root, Path) and not (self.root / "mlflow.db").exists():
            self.root.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.database, self.root / "mlflow.db")

    def kill_all(self) -> None:
        """Ends what a failed test left running."""
        for process in self.started:
            if process.poll() is None:
                kill_group(process)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()

    def folder(self, name: str) -> SweepFolder:
        return StorageRoot.resolve(str(self.root)).sweep(name)

    def events(self, name: str) -> list[ev.AnyEvent]:
        return read_events(self.folder(name)) if self.folder(name).exists() else []

    def wait_for(self, name: str, condition: Callable[[Sweep], bool], timeout_s: float = 120) -> Sweep:
        """The sweep as soon as its journal meets a condition."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            sweep = fold(self.events(name))
            if sweep.num_events and condition(sweep):
                return sweep
            time.sleep(0.1)
        raise AssertionError(f"{name}: never met within {timeout_s} s: {fold(self.events(name)).outcomes()}")


def environment() -> dict[str, str]:
    """Without what the tests' own process was told of a cluster."""
    return {key: value for key, value in os.environ.items() if key not in (*TOLD, "TUNER_STORAGE")}


def finish(process: subprocess.Popen[str], exit_code: int) -> str:
    """Waits for a command's end; what it wrote for people."""
    return outputs(process, exit_code)[1]


def outputs(process: subprocess.Popen[str], exit_code: int) -> tuple[str, str]:
    """Waits for a command's end; its standard output, and what it wrote for people."""
    data, errors = process.communicate(timeout=120)
    assert process.returncode == exit_code, errors
    assert "Traceback" not in errors
    return data, errors


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a command and everything that it started in its group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)


@pytest.fixture
def cli(tmp_path: Path, ray_address: str, mlflow_database: Path) -> Iterator[Cli]:
    """Commands on the shared cluster, each in a process of its own."""
    cli = Cli(tmp_path / "sweeps", ray_address, mlflow_database)
    yield cli
    cli.kill_all()


@pytest.fixture
def tiny_spec(tmp_path: Path) -> Callable[..., str]:
    """Writes a spec of the tiny network and returns its path."""

    def write(model: str = "Tiny", **changes: Any) -> str:
        spec = {
            "name": "tiny",
            "trainable": f"{MODELS / FILES.get(model, 'tiny.py')}:{model}",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": 12,
            "epochs": {"min": 1, "max": 9},
            "space": {
                "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"},
                "batch_size": {"choices": [16, 32]},
            },
            "tracking": {"log_models": "none"},
            **changes,
        }
        path = tmp_path / "tiny.yaml"
        path.write_text(dump_yaml(spec))
        return str(path)

    return write


def slowed(folder: Path) -> tuple[dict[str, Any], Path]:
    """A space whose epochs take more than a second, and the file that one removes for them to be quick again.

    However unlike the times are at which two workers are ready, the first is still at its trial when the second begins.
    """
    slow_while = folder / "slow"
    slow_while.touch()
    return {**SLOW_SPACE, "pause_s": 0.1, "slow_while": str(slow_while)}, slow_while


def check_history(folder: SweepFolder) -> Sweep:
    """What holds for every finished sweep, from its journal and its MLflow store alone."""
    from mlflow import MlflowClient

    events = read_events(folder)
    sweep = fold(events)
    assert verify(events) == []
    assert len(sweep.trials) == sweep.num_trials and sweep.outcomes()["unfinished"] == 0
    client = MlflowClient(folder.root.default_tracking_uri)
    experiment = client.get_experiment_by_name(sweep.spec["tracking"]["experiment"] or sweep.name)
    assert experiment is not None
    query = f"tags.`tuner.sweep` = '{sweep.name}'"
    runs = client.search_runs([experiment.experiment_id], query, max_results=5000)
    children = {int(run.data.tags["tuner.trial"]): run for run in runs if "tuner.trial" in run.data.tags}
    [parent] = [run for run in runs if "tuner.trial" not in run.data.tags]
    assert len(runs) == len(sweep.trials) + 1 and set(children) == set(sweep.trials)
    assert parent.info.status == ("FINISHED" if sweep.best else "FAILED")
    statuses = {"completed": "FINISHED", "stopped": "FINISHED", "diverged": "FAILED", "failed": "FAILED"}
    keys = set(next(iter(children.values())).data.params)
    for number, trial in sweep.trials.items():
        run = children[number]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == statuses[str(trial.outcome)]
        assert {"learning_rate", "batch_size", "epochs"} <= keys == set(run.data.params)
        assert float(run.data.params["learning_rate"]) == trial.params["learning_rate"]
        if trial.epochs:
            rows = client.get_metric_history(run.info.run_id, sweep.metric)
            assert [row.step for row in rows] == [epoch.epoch for epoch in trial.epochs]
    return sweep
