"""The deployed tracking server: who may do what."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.objectstore import S3Server
from tests.servers import Postgres
from tests.tracking_server import ADMIN, TrackingServer

pytestmark = pytest.mark.slow


def test_health_is_for_everybody_and_all_else_for_users(tracking_server: TrackingServer) -> None:
    server = tracking_server
    assert server.ask("GET", "/health", who=None).status_code == 200
    question = {"params": {"experiment_id": "0"}}
    assert server.ask("GET", "experiments/get", who=None, **question).status_code == 401
    assert server.ask("GET", "experiments/get", who=("admin", "password1234"), **question).status_code == 401
    assert server.ask("GET", "experiments/get", **question).status_code == 200


def test_metrics_are_for_administrators(tracking_server: TrackingServer) -> None:
    watcher = tracking_server.add_user("watcher", "watchers-own-password", is_admin=True)
    passer_by = tracking_server.add_user("passer-by", "passers-own-password")
    told = tracking_server.ask("GET", "/metrics", watcher)
    assert told.status_code == 200 and "mlflow_http_request_total" in told.text
    assert tracking_server.ask("GET", "/metrics", passer_by).status_code == 403
    assert tracking_server.ask("GET", "/metrics", None).status_code == 401


def test_other_host_names_are_refused(tracking_server: TrackingServer) -> None:
    refused = tracking_server.ask("GET", "experiments/get", headers={"Host": "elsewhere.example"})
    assert refused.status_code == 403 and "Host header" in refused.text


def test_users_read_all_and_write_where_they_may(tracking_server: TrackingServer) -> None:
    server = tracking_server
    writer = server.add_user("writer", "writers-own-password")
    reader = server.add_user("reader", "readers-own-password")
    experiment = server.add_experiment("writers-own", writer)
    run = {"json": {"experiment_id": experiment, "start_time": 1}}
    assert server.ask("POST", "runs/create", writer, **run).status_code == 200
    assert server.ask("GET", "experiments/get", reader, params={"experiment_id": experiment}).status_code == 200
    assert server.ask("POST", "runs/create", reader, **run).status_code == 403
    server.permit("reader", experiment, "EDIT")
    assert server.ask("POST", "runs/create", reader, **run).status_code == 200


def test_artifacts_go_through_the_server_into_the_bucket(tracking_server: TrackingServer, s3_server: S3Server) -> None:
    server = tracking_server
    experiment = server.add_experiment("with-artifacts")
    made = server.ask("POST", "runs/create", json={"experiment_id": experiment, "start_time": 1}).json()
    where = made["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    path = f"/api/2.0/mlflow-artifacts/artifacts/{where}/notes.txt"
    assert server.ask("PUT", path, data=b"kept").status_code == 200
    assert server.ask("GET", path).content == b"kept"
    assert f"{where}/notes.txt" in s3_server.keys(server.bucket_url)
    reader = server.add_user("artifact-reader", "readers-own-password")
    assert server.ask("GET", path, reader).content == b"kept"
    assert server.ask("PUT", path, reader, data=b"overwritten").status_code == 403
    assert server.ask("GET", path, None).status_code == 401
    assert server.ask("GET", path, ADMIN).content == b"kept"


@pytest.mark.parametrize("missing", ["MLFLOW_AUTH_ADMIN_PASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY"])
def test_it_does_not_start_without_a_secret(
    postgres: Postgres, s3_server: S3Server, tmp_path: Path, missing: str
) -> None:
    with pytest.raises(AssertionError, match=missing):
        TrackingServer(postgres, s3_server, tmp_path, different={missing: "", "PGDATABASE": postgres.new_database()})


def test_the_upgrade_command_takes_the_servers_settings(tracking_server: TrackingServer) -> None:
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", "postgresql+psycopg2:///"]
    done = subprocess.run(command, env=tracking_server.environ_of_server, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert tracking_server.ask("GET", "experiments/get", params={"experiment_id": "0"}).status_code == 200
