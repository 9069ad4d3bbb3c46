"""The tracking server of deploy/mlflow as it is deployed, without its containers: its settings, a real PostgreSQL, real
users, and artifacts on an S3 server.

`tracking_server` is one for the whole run, on loopback. `TrackingServer(…, host=…)` makes one on another address, such
as that of a test network.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.objectstore import S3Server
from tests.servers import Postgres, free_port, wait_until

DEPLOYED = Path(__file__).parents[1] / "deploy" / "mlflow"
ADMIN = ("admin", "admins-own-password")
START_S = 180.0


def settings() -> dict[str, str]:
    """The server's environment as compose and Kubernetes give it, secrets excluded."""
    lines = (DEPLOYED / "server.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def arguments() -> list[str]:
    """The image's command: what `mlflow` is called with."""
    command = re.search(r"^CMD (\[.*\])$", (DEPLOYED / "Dockerfile").read_text(), re.MULTILINE)
    assert command is not None
    found: list[str] = json.loads(command[1])
    return found


class TrackingServer:
    """A running server; made, it answers.

    Attributes:
        url: for clients, without user and password.
        bucket_url: where the server keeps artifacts.
        environ_of_server: its whole environment.
    """

    def __init__(
        self,
        postgres: Postgres,
        store: S3Server,
        folder: Path,
        host: str = "127.0.0.1",
        different: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it.

        Args:
            folder: for its log, of the user who runs the tests.
            host: an address of this machine, which it binds to and answers for.
            different: variables of its environment that shall be otherwise.
        """
        self.host, self.port = host, free_port(host)
        self.url = f"http://{host}:{self.port}"
        self.bucket_url = store.new_root()
        self.log = folder / "mlflow-server.log"
        here = {
            "MLFLOW_HOST": host,
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"{host}:{self.port}",
            "MLFLOW_ARTIFACTS_DESTINATION": self.bucket_url,
            "MLFLOW_S3_ENDPOINT_URL": store.url,
            "MLFLOW_AUTH_CONFIG_PATH": str(DEPLOYED / "basic_auth.ini"),
            "MLFLOW_EXPOSE_PROMETHEUS": str(folder / "metrics"),
        }
        secrets = {
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "a key of the tests",
            "AWS_ACCESS_KEY_ID": store.environ["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": store.environ["AWS_SECRET_ACCESS_KEY"],
        }
        foreign = ("MLFLOW_", "AWS_", "PG")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.environ_of_server = inherited | settings() | here | postgres.environ | secrets | dict(different or {})
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", *arguments()]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command, env=self.environ_of_server, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_until(self.answers, patience_s=START_S, period_s=0.2)
        except BaseException:
            self.stop()
            raise

    def answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            return requests.get(f"{self.url}/health", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """Kills it, as a machine's end does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def ask(self, method: str, path: str, who: tuple[str, str] | None = ADMIN, **options: Any) -> requests.Response:
        """One request, as a user; `path` is what stands behind /api/, or begins with a slash."""
        url = self.url + (path if path.startswith("/") else f"/api/2.0/mlflow/{path}")
        return requests.request(method, url, auth=who, timeout=30, **options)

    def add_user(self, name: str, password: str, is_admin: bool = False) -> tuple[str, str]:
        """A user with the default permission; as (name, password)."""
        self._done(self.ask("POST", "users/create", json={"username": name, "password": password}))
        if is_admin:
            self._done(self.ask("PATCH", "users/update-admin", json={"username": name, "is_admin": True}))
        return (name, password)

    def set_password(self, name: str, password: str) -> None:
        self._done(self.ask("PATCH", "users/update-password", json={"username": name, "password": password}))

    def add_experiment(self, name: str, who: tuple[str, str] = ADMIN) -> str:
        """An experiment that this user manages; its id."""
        return str(self._done(self.ask("POST", "experiments/create", who, json={"name": name}))["experiment_id"])

    def permit(self, name: str, experiment_id: str, permission: str) -> None:
        """READ, EDIT or MANAGE for a user on an experiment."""
        grant = {"resource_type": "experiment", "resource_id": experiment_id, "permission": permission}
        path = "/api/3.0/mlflow/users/permissions/grant"
        self._done(self.ask("POST", path, json={"username": name} | grant))

    def environ(self, who: tuple[str, str]) -> Mapping[str, str]:
        """What a client's environment needs to work as this user."""
        return {"MLFLOW_TRACKING_USERNAME": who[0], "MLFLOW_TRACKING_PASSWORD": who[1]}

    @staticmethod
    def _done(answer: requests.Response) -> dict[str, Any]:
        assert answer.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def __enter__(self) -> TrackingServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL that asks for a password."""
    Postgres.require()
    with Postgres(password="postgres-own-password") as server:
        yield server


@pytest.fixture(scope="session")
def tracking_server(
    postgres: Postgres, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackingServer]:
    """The deployed tracking server, on loopback."""
    with TrackingServer(postgres, s3_server, tmp_path_factory.mktemp("tracking")) as server:
        yield server
