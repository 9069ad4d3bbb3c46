"""What a second user of the machine gets of a sweep on a Ray of its own: nothing that acts, nothing that tells."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.sweeps.conftest import MODELS, SLOW_SPACE, Cli, environment, finish
from tuner.backend import outputs

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
CANARY = "canary-41c7e"
"""Is printed, and stands in no file by itself."""
MODEL = f"""
import os, sys
sys.path.insert(0, {str(MODELS)!r})
from tiny import Tiny

class Talkative(Tiny):
    def build_model(self, params):
        for _ in range(300):
            print(("x" * 999 + "\\n") * 100)  # 30 MB
        word = "-".join({CANARY.split("-")})
        print(word, "printed by a trainable", flush=True)
        print(word, "a warning", file=sys.stderr, flush=True)
        return super().build_model(params)
"""
PROBE = """
import http.client, json, os, socket, sys
roots, ports = json.loads(sys.argv[1])
found = {"opened": [], "listed": [], "sockets": {}, "answers": {}}
for root in roots:
    for folder, folders, files in os.walk(root):
        found["listed"].append(folder)
        for name in files:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    found["opened"].append([path, file.read().decode("latin-1")])
            except OSError:
                pass
for line in open("/proc/net/unix"):
    path = line.split()[-1]
    if path.startswith(tuple(roots)):
        with socket.socket(socket.AF_UNIX) as client:
            found["sockets"][path] = client.connect_ex(path)
for port in ports:
    for path in ("/api/jobs/", "/api/job_agent/jobs/", "/get_or_create_runtime_env"):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            client.request("POST", path, json.dumps({"entrypoint": "id"}), {"Content-Type": "application/json"})
            status = client.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
        found["answers"][f"{port}{path}"] = status
print(json.dumps(found))
"""
CALLS = [
    "ActorInfoGcsService/GetAllActorInfo", "CoreWorkerService/Exit", "CoreWorkerService/KillActor",
    "CoreWorkerService/PushTask", "InternalKVGcsService/InternalKVPut", "JobInfoGcsService/AddJob",
    "NodeInfoGcsService/GetAllNodeInfo", "NodeManagerService/RequestWorkerLease", "NodeManagerService/ShutdownRaylet",
    "ObjectManagerService/Pull",
]  # fmt: skip
"""What others would begin with: run a function, take a worker, put or read what the head knows."""


@dataclass
class Machine:
    """A home and a temporary folder as a machine with several users has them."""

    home: Path
    tmp: Path
    victim: Path
    cli: Cli

    @property
    def token(self) -> Path:
        return self.home / ".ray" / "auth_token"

    def start_without_a_token(self, *arguments: str) -> subprocess.Popen[str]:
        """A command of a user who has switched Ray's tokens off."""
        self.cli._prepare()
        process = subprocess.Popen(
            self.cli.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**environment(), "RAY_AUTH_MODE": "disabled"},
            start_new_session=True,
        )
        self.cli.started.append(process)
        return process


def python_for_nobody() -> str:
    """An interpreter that a user without rights can start."""
    for python in (sys.executable, "/usr/bin/python3"):
        if (
            os.path.exists(python)
            and subprocess.run([*AS_NOBODY, python, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0
        ):
            return python
    pytest.skip("needs a Python that user nobody can start")


@pytest.fixture
def machine(mlflow_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    needs = "needs root and setpriv, to be another user"
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.fail(needs) if os.environ.get("CI") == "true" and os.geteuid() == 0 else pytest.skip(needs)
    top = Path(tempfile.mkdtemp(prefix="u-"))  # pytest's own folders are closed to other users
    top.chmod(0o755)
    home, tmp, victim = top / "home", top / "tmp", top / "victim"
    for folder, mode in ((home, 0o755), (tmp, 0o1777), (victim, 0o777)):
        folder.mkdir()
        folder.chmod(mode)
    for name, value in {"HOME": home, "TMPDIR": tmp, "RAY_AUTH_TOKEN_PATH": "", "RAY_TMPDIR": ""}.items():
        monkeypatch.setenv(name, str(value))
    cli = Cli(home / "sweeps", "local", mlflow_database)
    yield Machine(home, tmp, victim, cli)
    cli.kill_all()
    shutil.rmtree(top, ignore_errors=True)


def listening(driver: subprocess.Popen[str]) -> dict[tuple[str, int], str]:
    """Address and port of all that listens in a driver and its Ray -> the process."""
    found = {}
    for process in [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]:
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                found[connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port] = process.name()
    return found


def called_without_a_token(port: int) -> set[str]:
    """How calls to Ray's services end at a port."""
    import grpc

    codes = set()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for call in CALLS:
            try:
                channel.unary_unary(f"/ray.rpc.{call}")(b"", timeout=10)
                codes.add("OK")
            except grpc.RpcError as error:
                codes.add(error.code().name)
    return codes


def test_a_second_user_gets_nothing_of_a_sweep(machine: Machine, tiny_spec: Callable[..., str]) -> None:
    python, cli = python_for_nobody(), machine.cli
    planted = ["ray", "tuner-aaaa", "tuner-tune-aaaaaaaa", ".keras"]
    for name in planted:
        subprocess.run([*AS_NOBODY, "ln", "-s", str(machine.victim), str(machine.tmp / name)], check=True)
    machine.token.parent.mkdir()
    machine.token.write_text("0123456789abcdef" * 4)  # as Ray makes it
    assert stat.S_IMODE(machine.token.stat().st_mode) == 0o644
    (machine.home / "mine.py").write_text(MODEL)
    early = {"algorithm": "none"}
    written = tiny_spec(num_trials=2, space=SLOW_SPACE, epochs={"max": 27}, early_stopping=early)
    Path(written).write_text(
        Path(written).read_text().replace(f"{MODELS / 'tiny.py'}:Tiny", f"{machine.home}/mine.py:Talkative")
    )
    driver = machine.start_without_a_token("run", written)
    cli.wait_for("tiny", lambda sweep: sweep.num_epochs >= 2)

    ports = listening(driver)
    assert {address for address, _ in ports} == {"127.0.0.1"}, ports
    asked = json.dumps([[str(machine.home), str(machine.tmp)], [port for _, port in ports]])
    seen: dict[str, Any] = json.loads(subprocess.check_output([*AS_NOBODY, python, "-c", PROBE, asked], text=True))
    token = machine.token.read_text()
    assert [path for path, text in seen["opened"] if token in text or CANARY in text] == []
    [session] = machine.tmp.glob("tuner-????/r")
    assert (session / "session_latest" / "logs").is_dir() and stat.S_IMODE(session.parent.stat().st_mode) == 0o700
    assert [path for path in seen["listed"] if path.startswith(f"{session.parent}/")] == []
    assert len(seen["sockets"]) >= 2 and set(seen["sockets"].values()) == {13}, seen["sockets"]  # EACCES
    assert {status for status in seen["answers"].values() if isinstance(status, int)} <= {401, 403, 404, 405}
    codes = {port: called_without_a_token(port) for _, port in ports}
    assert set().union(*codes.values()) <= {"UNAUTHENTICATED", "UNIMPLEMENTED", "UNAVAILABLE"}, (ports, codes)
    assert sum("UNAUTHENTICATED" in found for found in codes.values()) >= 5, (ports, codes)
    assert "UNAUTHENTICATED" in codes[next(port for (_, port), name in ports.items() if "gcs" in name)]

    sizes = [path.stat().st_size for path in (session / "session_latest" / "logs").glob("worker-*")]
    assert sum(sizes) < 2 * (outputs.FILE_BYTES + outputs.KEPT_BYTES) + 2**20, "two workers have printed 60 MB"

    said = cli("logs", "tiny").stderr.replace("\n", "")
    assert str(session) in said, "where trainables print while they run"
    driver.send_signal(signal.SIGINT)
    said = finish(driver, exit_code=3)
    assert "could be read by other users: its mode is 600 now" in said and "RAY_AUTH_MODE=disabled is ignored" in said
    assert stat.S_IMODE(machine.token.stat().st_mode) == 0o600
    assert sorted(path.name for path in machine.tmp.iterdir()) == sorted(planted), (
        "Ray's files are gone, planted links stay"
    )
    assert list(machine.victim.iterdir()) == []
    kept = outputs.saved_outputs(cli.folder("tiny").outputs)
    assert {kind for path in kept if CANARY in path.read_text() for kind in [path.suffix]} == {".out", ".err"}
    asked = json.dumps([[str(cli.folder("tiny").path)], []])
    seen = json.loads(subprocess.check_output([*AS_NOBODY, python, "-c", PROBE, asked], text=True))
    assert [path for path, text in seen["opened"] if CANARY in text] == []
    assert str(kept[0]) in cli("logs", "tiny").stderr.replace("\n", "")
