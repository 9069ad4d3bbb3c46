"""Secrets planted wherever they can be given, and looked for in all that a sweep leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.objectstore import S3Server
from tests.servers import Postgres, wait_until
from tests.sweeps.conftest import MODELS, SPACE
from tests.tracking_server import TrackingServer
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CANARY = "canary-7f3a9"
"""Part of every secret, and of nothing else."""
SWEEPER = ("careless", f"{CANARY}-tracking-password")
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": f"{CANARY}-key-id",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}-secret-key",
    "PGPASSWORD": f"{CANARY}-database-password",
    "SOME_SERVICE_TOKEN": f"{CANARY}-token",
    "DATABASE_URL": f"postgresql://me:{CANARY}-in-a-uri@host/db",
}
MODEL = '''
import os, sys
sys.path.insert(0, {folder!r})
from tiny import Tiny

class Careless(Tiny):
    """Puts what it knows into its errors."""

    def build_model(self, params):
        print("a token:", os.environ["SOME_SERVICE_TOKEN"], flush=True)
        if params.units == 3:
            known = {{name: os.environ[name] for name in {names!r}}}
            token = known["SOME_SERVICE_TOKEN"]
            raise ConnectionError(f"no answer from https://me:{{token}}@host/weights with {{known}}")
        return super().build_model(params)
'''


class Place:
    """Where everything of this test is: home, caches, Ray's session, the storage root, and what commands printed."""

    def __init__(self, folder: Path, storage: str, store: S3Server, ray: Path) -> None:
        self.folder, self.storage, self.ray, self._store = folder, storage, ray, store
        self.printed = folder / "printed.txt"
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "AWS_", "RAY_"))}
        own = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "RAY_TMPDIR": str(ray)}
        self.environ = kept | store.environ | own | ENVIRONMENT | {"TUNER_STORAGE": storage}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with open(self.printed, "ab") as printed:
            command = [sys.executable, "-m", "tuner.cli.main", *arguments]
            return subprocess.Popen(command, env=self.environ, stdout=printed, stderr=printed, start_new_session=True)

    def run(self, *arguments: str, exit_code: int = 0) -> None:
        process = self.start(*arguments)
        try:
            assert process.wait(300) == exit_code, self.printed.read_text()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Everything on disk and in the store, but what was planted."""
        for path in [*self.folder.rglob("*"), *self.ray.rglob("*")]:
            if path.is_file() and "planted" not in path.relative_to(path.anchor).parts:
                yield str(path), path.read_bytes()
        yield from self.objects(self.storage)

    def objects(self, url: str) -> Iterator[tuple[str, bytes]]:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        for key in self._store.keys(url):
            yield f"{url}/{key}", self._store.client().get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read()


@pytest.fixture
def place(tmp_path: Path, s3_root: str, s3_server: S3Server) -> Iterator[Place]:
    ray = Path(tempfile.mkdtemp(prefix="ray-"))  # the names of its sockets may have 107 characters
    yield Place(tmp_path, s3_root, s3_server, ray)
    shutil.rmtree(ray, ignore_errors=True)


def with_password(server: TrackingServer, password: str) -> str:
    """The server's URI as a careless user writes it."""
    return server.url.replace("://", f"://{SWEEPER[0]}:{password}@")


@pytest.fixture
def spec(place: Place, tracking_server: TrackingServer) -> Path:
    """A sweep whose spec holds a password, and whose second trial fails with secrets in its error."""
    planted = place.folder / "planted"
    planted.mkdir()
    names = [name for name in ENVIRONMENT if name != "PGPASSWORD"]
    (planted / "careless.py").write_text(MODEL.format(folder=str(MODELS), names=names))
    path = planted / "careless.yaml"
    common = {"learning_rate": 0.01, "batch_size": 32}
    content = {
        "name": "careless",
        "trainable": "careless.py:Careless",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 2,
        "epochs": {"max": 1},
        "space": SPACE | {"units": {"choices": [3, 4]}, "pause_s": 0.5},
        "search": {"points": [{"units": 4, **common}, {"units": 3, **common}]},
        "failures": {"max_retries": 0},
        "tracking": {"uri": with_password(tracking_server, f"{CANARY}-old-password")},
    }
    path.write_text(dump_yaml(content))
    return path


def database(postgres: Postgres) -> bytes:
    """Everything in PostgreSQL as SQL."""
    return subprocess.run(
        [str(postgres.binary("pg_dump"))], env=os.environ | postgres.environ, stdout=subprocess.PIPE, check=True
    ).stdout


def test_no_secret_is_written_anywhere(
    place: Place, spec: Path, tracking_server: TrackingServer, postgres: Postgres
) -> None:
    tracking_server.add_user(*SWEEPER)
    run = place.start("run", str(spec), "--set", f"tracking.uri={with_password(tracking_server, SWEEPER[1])}", "--json")
    shown = Path(f"/proc/{run.pid}/cmdline")  # what everybody sees of a command, and Ray keeps of its driver
    wait_until(lambda: run.poll() is not None or b"=http://127.0.0.1" in shown.read_bytes())
    assert run.wait(300) == 0, place.printed.read_text()
    place.environ["MLFLOW_TRACKING_URI"] = with_password(tracking_server, SWEEPER[1])
    for command in ("verify", "trials"):
        place.run(command, "careless", "--json")
    place.environ["MLFLOW_TRACKING_URI"] = with_password(tracking_server, f"{CANARY}-wrong-password")
    (StorageRoot.resolve(place.storage).sweep("careless").cursor).unlink()
    place.run("record", "careless", exit_code=4)
    everything = [
        *place.files(),
        *place.objects(tracking_server.bucket_url),
        ("the MLflow database", database(postgres)),
        ("the MLflow server's log", tracking_server.log.read_bytes()),
    ]
    assert [name for name, content in everything if CANARY.encode() in content] == []
    assert any(name.startswith(tracking_server.bucket_url) and b"name: careless" in text for name, text in everything)
    names = {name for name, _ in everything}
    for looked_at in ("/journal/", "/spec.yaml", "driver.log", "recorder.log", "/outputs/", "printed.txt"):
        assert any(looked_at in name for name in names), looked_at
    printed = place.printed.read_text()
    assert "ConnectionError: no answer from https://" in printed and "'***'" in printed
    assert "HTTP 401: the credentials are wrong or missing" in printed
