"""A command's output apart from what Ray writes into the same file."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from requests.exceptions import ReadTimeout

from tests import servers
from tests.cli.test_commands import tuner
from tests.servers import Mode, Proxy, free_port
from tuner.base.errors import ServiceError
from tuner.cli.cluster_command import There
from tuner.cluster import job_server, job_shell
from tuner.cluster.job_shell import JobShell, between, marked

MARK = "tuner-asks-0123456789ab"


class Client:
    """In the place of Ray's job client."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def submit_job(self, submission_id: str, **asked: Any) -> str:
        return submission_id

    def stop_job(self, job: str) -> None:
        self.stopped.append(job)


def shell_of(client: Client) -> JobShell:
    shell = object.__new__(JobShell)
    shell._client = client  # type: ignore[assignment]
    shell.name, shell.option = "http://h", "--address http://h"
    return shell


@pytest.mark.parametrize("late_s", [0.0, 0.5])
@pytest.mark.parametrize(
    ("script", "output", "code"),
    [("echo first; echo; echo last", "first\n\nlast\n", 0), ("printf '\\nno end'; exit 7", "\nno end", 7)],
)
def test_the_output_follows_rays_announcement_however_late_that_is_written(
    tmp_path: Path, script: str, output: str, code: int, late_s: float
) -> None:
    entrypoint, log = marked(MARK, script), tmp_path / "job.log"
    log.write_text("set up\n")
    with log.open("a") as file:  # as Ray does it: the line waits in the file's buffer while the job starts
        file.write(f"Running entrypoint for job {MARK}: {entrypoint}\n")
        job = subprocess.Popen(entrypoint, shell=True, stdout=file, stderr=subprocess.STDOUT)
        time.sleep(late_s)
    assert job.wait(timeout=30) == code
    assert between(MARK, log.read_text()) == (output, code)


def test_nothing_is_output_before_the_mark_and_there_is_no_code_before_the_end() -> None:
    lines = (f"job {MARK}\n", f"{MARK}\n", "out\n", f"{MARK} 3", "\n")
    so_far = [between(MARK, "".join(lines[:count])) for count in range(len(lines) + 1)]
    assert so_far == [("", None)] * 3 + [("out\n", None)] * 2 + [("out\n", 3)]


def test_who_leaves_leaves_no_job_that_follows_for_nobody() -> None:
    class Left(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield "begun\n"
            raise KeyboardInterrupt

    client = Left()
    with pytest.raises(KeyboardInterrupt):
        shell_of(client).pass_on("tail -f log")
    assert len(client.stopped) == 1 and client.stopped[0].startswith("tuner-asks-")


def test_a_reader_that_has_seen_enough_is_no_fault_of_the_job_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(text: str) -> None:
        raise BrokenPipeError

    class Talking(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield f"{job}\nout\n"

    client = Talking()
    monkeypatch.setattr(job_shell.sys, "stdout", SimpleNamespace(write=write))
    assert shell_of(client).pass_on("cat log") == 0
    assert len(client.stopped) == 1


def test_a_job_server_that_hangs_while_a_job_runs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield f"{job}\nbegun\n"
            await asyncio.sleep(3600)

        def get_job_info(self, job: str) -> Any:
            raise ReadTimeout("Read timed out. (read timeout=30.0)")

    monkeypatch.setattr(job_server, "SILENT_S", 0.01)
    with pytest.raises(ServiceError, match=r"^--address http://h: Read timed out. \(read timeout=30.0\)$"):
        shell_of(Hanging()).run("sleep 60")
    head = shell_of(Hanging())
    monkeypatch.setattr(There, "head", lambda there, not_with: head)
    for command, way_on in (
        ("show", "ask again once it answers: tuner show mine --address http://h"),
        ("logs", "ask again once it answers: tuner logs mine --address http://h"),
        ("resume", "find out once it answers whether the sweep goes on: tuner show mine --address http://h"),
    ):
        said = tuner(command, "mine", "--address", "http://h", exit_code=4).stderr
        assert said == f"--address http://h: Read timed out. (read timeout=30.0); {way_on}\n"


def test_who_leaves_before_a_sweep_is_known_to_go_on_is_told_what_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(Client):
        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            raise KeyboardInterrupt
            yield ""

    head = shell_of(Left())
    monkeypatch.setattr(There, "head", lambda there, not_with: head)
    said = tuner("resume", "mine", "--address", "http://h", exit_code=3).stderr
    assert (
        said == "interrupted before sweep mine was known to go on; find out with: tuner show mine --address http://h\n"
    )


def test_a_job_may_say_nothing_for_long_and_its_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Client):
        asked = 0

        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield f"{job}\nbegun\n"
            await asyncio.sleep(3600)

        def get_job_info(self, job: str) -> Any:
            self.asked += 1
            status = SimpleNamespace(is_terminal=lambda: self.asked > 3)
            return SimpleNamespace(status=status, driver_exit_code=7, message="")

    monkeypatch.setattr(job_server, "SILENT_S", 0.01)
    done = shell_of(Silent()).run("sleep 60")
    assert (done.returncode, done.stdout) == (7, "begun\n")


@pytest.mark.parametrize(
    "address", ["", "not a url", "127.0.0.1:6379", "ray://127.0.0.1:10001", "http://", "http://h:x"]
)
def test_an_address_that_is_no_url_is_refused_before_anything_is_asked(address: str) -> None:
    for command in ("show", "logs"):
        said = tuner(command, "mine", "--address", address, exit_code=2).stderr
        assert said.startswith("--address: must be the URL of a cluster's job server, such as http://127.0.0.1:8265")
        assert said.endswith(f"but got {address!r}\n") and said.count("\n") == 1


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("refuse", "Failed to connect"),
        ("deny", "the token in ~/.ray/auth_token of the cluster's head must be in that file"),
        ("error", "500"),
        ("missing", "404"),
        ("alien", "Expecting value"),
        ("hang", "timed out"),
    ],
)
def test_what_answers_otherwise_than_a_job_server_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, mode: Mode, reason: str
) -> None:
    monkeypatch.setattr(job_server, "ANSWER_S", 0.5)
    with Proxy(free_port()) as server:
        server.mode = mode
        said = tuner("show", "mine", "--address", server.url, RAY_ADDRESS="127.0.0.1:1", exit_code=4).stderr
    assert said.startswith(f"--address {server.url}: ") and reason in said and said.count("\n") == 1


def test_who_has_no_home_has_no_token_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user of a container that nobody has entered into its list of users."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.delenv("HOME")
    with Proxy(free_port()) as server:
        server.mode = "refuse"
        said = tuner("show", "mine", "--address", server.url, exit_code=4).stderr
    assert "Failed to connect" in said and said.count("\n") == 1


@pytest.mark.parametrize("answer", ['{"ray": 1}', "[]", '{"ray_version": 2}', '{"ray_version": "none"}'])
def test_a_server_that_speaks_other_json_is_told_to_be_none(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setitem(servers._BODIES, "alien", ("200 OK", answer.encode()))
    with Proxy(free_port()) as server:
        server.mode = "alien"
        said = tuner("trials", "mine", "--address", server.url, exit_code=4).stderr
    assert "what answers is not a Ray job server (" in said and said.count("\n") == 1
