"""`tuner ui --live` as a process: its address, its end, and its mistakes."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.simulation import make_spec, new_sweep

COMMAND = [sys.executable, "-m", "tuner.cli.main", "ui", "--live"]


@contextmanager
def served(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A server and what it said until its address."""
    server = subprocess.Popen([*COMMAND, *options], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = [server.stderr.readline()]
        while said[-1] and not said[-1].startswith("sweeps: "):
            said.append(server.stderr.readline())
        yield server, said
    finally:
        server.kill()
        server.communicate()


def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=30)
    connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_a_sweep_until_it_is_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    new_sweep(tmp_path, make_spec()).close()
    with served("test", "--storage", str(tmp_path), "--port", "0") as (server, said):
        url = said[-1].split()[1]
        assert url.startswith("http://127.0.0.1:") and url.endswith("/sweeps/test")
        assert get(url)[0] == 200
        open_still = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0))
        server.send_signal(number)
        out, rest = server.communicate(timeout=30)
        open_still.close()
        assert (server.returncode, out, rest) == (0, "", "")


def test_a_port_in_use_is_told_and_another_one_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with served("--storage", str(tmp_path), "--port", str(port)) as (_, said):
            assert said[0] == f"port {port} is in use; taking another one\n"
            url = said[1].split()[1]
            assert urlsplit(url).port not in (port, None) and get(url)[0] == 200


def test_beyond_loopback_the_printed_url_has_the_token(tmp_path: Path) -> None:
    with served("--storage", str(tmp_path), "--port", "0", "--host", "0.0.0.0") as (server, said):
        url = said[-1].split()[1]
        assert server.stderr is not None and "whoever has this URL can read" in server.stderr.readline()
        assert get(url)[0] == 303 and get(url.partition("?")[0])[0] == 403


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--live", "tesst"), "did you mean 'test'?"),
        (("--live", "--host", "no host"), "--host: must be an address or a name of this machine, but got 'no host'"),
        (("--live", "--host", "192.0.2.1"), "--host: cannot listen on 192.0.2.1, port "),
        (("--host", "127.0.0.1"), "--host: must be given with --live"),
        (("--live", "../x"), "must be the name of a folder"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    new_sweep(tmp_path, make_spec()).close()
    command = [*COMMAND[:-1], *options, "--storage", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
