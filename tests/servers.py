"""Servers for tests, real ones on loopback, and a proxy that lets a server fail in every way without touching it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal

import pytest

PATIENCE_S = 60.0

Mode = Literal["pass", "refuse", "hang", "error", "cut", "deny", "missing", "alien", "late"]

_BODIES: dict[str, tuple[str, bytes]] = {
    "error": ("500 Internal Server Error", b"out of order"),
    "deny": ("401 Unauthorized", b"who are you?"),
    "missing": ("404 Not Found", b"<html>nothing here</html>"),
    "alien": ("200 OK", b"<html>welcome to something else</html>"),
}


def wait_until(condition: Callable[[], bool], patience_s: float = PATIENCE_S, period_s: float = 0.05) -> None:
    """Waits for something that must come true."""
    ends_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < ends_at, "it never came true"
        time.sleep(period_s)


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """A TCP proxy before a server on loopback.

    Modes: pass; refuse connections; hang (accept and never answer); error (HTTP 500), deny (401), missing (404) and
    alien (HTML) to whatever is asked; cut (what is asked is done, but its answer ends in the middle); late (what is
    asked is kept, and done when the mode changes, as by a server that was stopped for a while). A new mode ends all
    connections, but after late.
    """

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = free_port()
        self.num_requests = 0
        """Connections that were accepted, in all modes."""
        self._mode: Mode = "refuse"
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.mode = "pass"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        was, self._mode = self._mode, mode
        if mode == "refuse":
            self._stop_listening()
        elif self._listener is None:
            self._listen()
        if was != "late":
            self._end_connections()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.mode = "refuse"
        self._end_connections()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            self._listener.close()
            self._listener = None

    def _end_connections(self) -> None:
        with self._lock:
            sockets, self._open = self._open, set()
        for each in sockets:
            _end(each)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.num_requests += 1
            self._keep(client)
            threading.Thread(target=self._serve, args=(client, self._mode), daemon=True).start()

    def _keep(self, each: socket.socket) -> None:
        with self._lock:
            self._open.add(each)

    def _serve(self, client: socket.socket, mode: Mode) -> None:
        try:
            if mode == "hang":
                return
            if mode in _BODIES:
                _answer(client, *_BODIES[mode])
            elif mode == "cut":
                self._cut(client)
            else:
                self._pass(client, wait=mode == "late")
        except OSError:
            _end(client)

    def _upstream(self) -> socket.socket:
        upstream = socket.create_connection(("127.0.0.1", self.upstream_port), timeout=PATIENCE_S)
        self._keep(upstream)
        return upstream

    def _pass(self, client: socket.socket, wait: bool) -> None:
        while wait and self._mode == "late":
            time.sleep(0.02)
        upstream = self._upstream()
        threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
        _pump(upstream, client)

    def _cut(self, client: socket.socket) -> None:
        """The request arrives whole; of the answer, its first line does."""
        upstream = self._upstream()
        threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
        client.sendall(upstream.recv(65536)[:20])
        _end(client)
        _end(upstream)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        _end(source)
        _end(sink)


def _answer(client: socket.socket, status: str, body: bytes) -> None:
    """Reads one request, as far as its headers and length say, and answers it."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = client.recv(65536)
        if not data:
            return
        request += data
    head, _, rest = request.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    left = int(lengths[0]) - len(rest) if lengths else 0
    while left > 0 and (data := client.recv(65536)):
        left -= len(data)
    client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    _end(client)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


class MlflowServer:
    """A tracking server of one worker; `start` returns when it answers."""

    def __init__(self, backend_uri: str, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.backend_uri, self._folder = backend_uri, folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, wait: bool = True) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", self.backend_uri]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with open(self._folder / "mlflow-server.log", "ab") as log:
            self._process = subprocess.Popen(command, env=quiet, stdout=log, stderr=log, start_new_session=True)
        try:
            if wait:
                wait_until(self.answers, period_s=0.2)
        except BaseException:
            self.stop()
            raise

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as reply:
                ok: bool = reply.status == 200
                return ok
        except OSError:
            return False

    def stop(self) -> None:
        """Kills it, as a machine's end does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> MlflowServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class Postgres:
    """A PostgreSQL server on loopback; as another user where tests run as root, which it refuses."""

    def __init__(self, password: str | None = None) -> None:
        """Starts it; `password` is asked of whoever connects, where one is given."""
        self.port, self.password = free_port(), password
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's folders are closed to other users
        self._data = self._folder / "data"
        asks = ["-A", "trust"]
        if password is not None:
            (self._folder / "password").write_text(password)
            asks = ["-A", "scram-sha-256", f"--pwfile={self._folder / 'password'}"]
        if os.getuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                shutil.chown(path, "postgres")
        self._run("initdb", "-U", "tuner", *asks, "--no-sync", "-D", str(self._data))
        self.start()

    @staticmethod
    def is_missing() -> str:
        """Why it cannot be had here; empty if it can."""
        if Postgres.binary("pg_ctl") is None:
            return "PostgreSQL's binaries (pg_ctl, initdb) are not installed"
        if os.getuid() == 0:
            users = {user.pw_name for user in pwd.getpwall()}
            if "postgres" not in users or shutil.which("setpriv") is None:
                return "PostgreSQL does not run as root, and there is no user postgres or no setpriv"
        return ""

    @staticmethod
    def require() -> None:
        """Skips a test where it cannot be had; on CI, where it is installed, the test fails."""
        if missing := Postgres.is_missing():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)

    @property
    def uri(self) -> str:
        user = "tuner" if self.password is None else f"tuner:{self.password}"
        return f"postgresql+psycopg2://{user}@127.0.0.1:{self.port}/postgres"

    @property
    def environ(self) -> dict[str, str]:
        """libpq's settings, for URIs that name nothing."""
        environ = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "tuner", "PGDATABASE": "postgres"}
        return environ if self.password is None else environ | {"PGPASSWORD": self.password}

    def new_database(self) -> str:
        """Makes an empty database; its name."""
        import psycopg2

        name = f"database_{uuid.uuid4().hex[:8]}"
        connection = psycopg2.connect(self.uri.replace("+psycopg2", ""))
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"create database {name}")
        return name

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        log = str(self._data / "server.log")
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-l", log, "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder)

    @staticmethod
    def binary(name: str) -> str | None:
        debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        return shutil.which(name) or (str(debian[-1]) if debian else None)

    def _run(self, name: str, *arguments: str) -> None:
        binary = self.binary(name)
        assert binary is not None
        user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
        command = [*other, binary, *arguments]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/")


@contextlib.contextmanager
def locked_sqlite(path: Path) -> Iterator[None]:
    """Another process of ours holds the SQLite database's exclusive lock until the end of the block."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None);"
        " c.execute('begin exclusive'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"locked\n"
        yield
