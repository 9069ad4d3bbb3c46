"""The deployed tracking server: who may do what."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from tests.objectstore import S3Server
from tests.servers import Postgres
from tests.tracking_server import ADMIN, DEPLOYED, TrackingServer

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


@pytest.mark.parametrize("place", ["docker compose exec", "kubectl --namespace mlflow exec"])
def test_a_dump_brings_the_database_back_as_it_was_before_an_upgrade(
    postgres: Postgres, tmp_path: Path, place: str
) -> None:
    """By the README's own commands. A newer version's tables refer to those of the dump, and hold them in place."""
    name, dump = postgres.new_database(), tmp_path / "mlflow.dump"
    rows(postgres, name, "create table runs (id text primary key); insert into runs values ('kept')")
    dump.write_bytes(documented(place, "pg_dump", postgres, name))
    rows(postgres, name, "create table newer (run text references runs); insert into runs values ('later')")
    documented(place, "pg_restore", postgres, name, dump.read_bytes())
    assert rows(postgres, name, "select id from runs") == [("kept",)]
    assert rows(postgres, name, "select count(*) from pg_tables where tablename = 'newer'") == [(0,)]
    documented(place, "pg_restore", postgres, name, dump.read_bytes())


def documented(place: str, tool: str, postgres: Postgres, database: str, given: bytes = b"") -> bytes:
    """What a tool of PostgreSQL's prints, run as the README says for compose or Kubernetes, on a database of ours."""
    text = (DEPLOYED / "README.md").read_text()
    [arguments] = re.findall(rf"^{place} .*\b{tool} (.+?) [<>] mlflow.dump$", text, re.MULTILINE)
    arguments = re.sub(r"\bmlflow$", database, arguments.replace("--username mlflow", "--username tuner"))
    binary = Postgres.binary(tool)
    assert binary is not None
    done = subprocess.run([binary, *shlex.split(arguments)], env=postgres.environ, input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def rows(postgres: Postgres, database: str, statement: str) -> list[tuple[object, ...]]:
    """A statement's rows."""
    connection = psycopg2.connect(postgres.uri.replace("+psycopg2", ""), dbname=database)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if statement.startswith("select") else []
