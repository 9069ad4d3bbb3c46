"""Sweeps that record on the deployed tracking server, as users who may and users who may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.objectstore import S3Server
from tests.sweeps.conftest import ONE_SLOT, SPACE, Cli
from tests.tracking_server import TrackingServer
from tuner.sweep.events import SweepStarted

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

WRITER = ("sweeper", "sweepers-own-password")
READER = ("reader-of-sweeps", "readers-own-password")
SMALL = {
    "num_trials": 3,
    "epochs": {"min": 1, "max": 2},
    "early_stopping": {"algorithm": "none"},
    "resources": ONE_SLOT,
}


@pytest.fixture(scope="module")
def server(tracking_server: TrackingServer) -> TrackingServer:
    for who in (WRITER, READER):
        tracking_server.add_user(*who)
    return tracking_server


@pytest.fixture
def log_in(server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Commands are given as this user from now on."""

    def as_user(name: str, password: str) -> None:
        for variable, text in server.environ((name, password)).items():
            monkeypatch.setenv(variable, text)

    return as_user


def runs_of(server: TrackingServer, sweep: str) -> list[dict[str, Any]]:
    """What the server holds of a sweep, asked as a user who may only read."""
    experiment = server.ask("GET", "experiments/get-by-name", READER, params={"experiment_name": sweep}).json()
    query = {"experiment_ids": [experiment["experiment"]["experiment_id"]]}
    runs: list[dict[str, Any]] = server.ask("POST", "runs/search", READER, json=query).json().get("runs", [])
    return runs


def test_a_sweep_records_its_runs_and_artifacts_through_the_server(
    cli: Cli,
    tiny_spec: Callable[..., str],
    server: TrackingServer,
    s3_server: S3Server,
    log_in: Callable[[str, str], None],
) -> None:
    log_in(*WRITER)
    cli("run", tiny_spec(**SMALL, tracking={"uri": server.url}), "--name", "recorded")
    runs = runs_of(server, "recorded")
    assert len(runs) == 4
    of_experiment = f"{runs[0]['info']['experiment_id']}/"
    kept_keys = [key for key in s3_server.keys(server.bucket_url) if key.startswith(of_experiment)]
    [artifact] = [key for key in kept_keys if key.endswith("/spec.yaml")]
    bucket, _, folder = server.bucket_url.removeprefix("s3://").partition("/")
    kept = s3_server.client().get_object(Bucket=bucket, Key=f"{folder}/{artifact}")["Body"].read().decode()
    started = cli.events("recorded")[0]
    assert isinstance(started, SweepStarted) and YAML(typ="safe", pure=True).load(kept) == started.spec
    assert cli("verify", "recorded").returncode == 0


def test_a_wrong_password_is_told_at_once_and_the_sweep_trains_to_its_end(
    cli: Cli, tiny_spec: Callable[..., str], server: TrackingServer, log_in: Callable[[str, str], None]
) -> None:
    log_in(WRITER[0], "not-the-password")
    slow = SPACE | {"batch_size": 32, "pause_s": 1.0}  # six steps an epoch: longer than until the refusal is told
    spec = tiny_spec(**SMALL | {"num_trials": 1}, space=slow, tracking={"uri": server.url})
    told = cli("run", spec, "--name", "refused", exit_code=4).stderr
    refusal = f"{server.url}: HTTP 401: the credentials are wrong or missing (set MLFLOW_TRACKING_USERNAME and"
    *earlier, last = told.strip().splitlines()
    assert last.startswith("sweep refused: ") and f"are not recorded in MLflow: {refusal}" in last
    assert "The journal has all; finish with: tuner record refused --storage" in last
    assert [line for line in earlier if line.startswith(f"MLflow accepts nothing now; the sweep continues: {refusal}")]
    assert cli.json("show", "refused")["outcomes"]["completed"] == 1
    assert WRITER[1] not in told and "not-the-password" not in told
    log_in(*WRITER)
    cli("record", "refused")
    assert len(runs_of(server, "refused")) == 2


def test_a_readers_write_is_refused_until_it_is_permitted(
    cli: Cli, tiny_spec: Callable[..., str], server: TrackingServer, log_in: Callable[[str, str], None]
) -> None:
    experiment = server.add_experiment("of-somebody-else")
    log_in(*READER)
    spec = tiny_spec(**SMALL | {"num_trials": 1}, tracking={"uri": server.url, "experiment": "of-somebody-else"})
    told = cli("run", spec, "--name", "reader", exit_code=4).stderr
    last = told.strip().splitlines()[-1]
    assert f"{server.url}: HTTP 403: access is denied: the user needs EDIT on the experiment" in last
    assert runs_of(server, "of-somebody-else") == []
    assert cli.json("show", "reader")["outcomes"]["completed"] == 1
    refused = cli("record", "reader", exit_code=4).stderr
    assert "HTTP 403" in refused and len(refused.strip().splitlines()) == 1
    server.permit(READER[0], experiment, "EDIT")
    cli("record", "reader")
    assert len(runs_of(server, "of-somebody-else")) == 2
