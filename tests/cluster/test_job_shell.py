"""A command's output apart from what Ray writes into the same file."""

from __future__ import annotations

import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.cli.test_commands import tuner
from tests.servers import Mode, Proxy, free_port
from tuner.cluster import job_shell
from tuner.cluster.job_shell import JobShell, between, marked

MARK = "tuner-asks-0123456789ab"


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
    class Client:
        stopped: list[str] = []  # noqa: RUF012

        def submit_job(self, submission_id: str, **asked: Any) -> str:
            return submission_id

        async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
            yield "begun\n"
            raise KeyboardInterrupt

        def stop_job(self, job: str) -> None:
            self.stopped.append(job)

    shell = object.__new__(JobShell)
    shell._client = Client()
    with pytest.raises(KeyboardInterrupt):
        shell.pass_on("tail -f log")
    assert len(Client.stopped) == 1 and Client.stopped[0].startswith("tuner-asks-")


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
    monkeypatch.setattr(job_shell, "_ANSWER_S", 0.5)
    with Proxy(free_port()) as server:
        server.mode = mode
        said = tuner("show", "mine", "--address", server.url, RAY_ADDRESS="127.0.0.1:1", exit_code=4).stderr
    assert said.startswith(f"--address {server.url}: ") and reason in said and said.count("\n") == 1


@pytest.mark.parametrize("answer", ['{"ray": 1}', "[]", '{"ray_version": 2}', '{"ray_version": "none"}'])
def test_a_server_that_speaks_other_json_is_told_to_be_none(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setitem(servers._BODIES, "alien", ("200 OK", answer.encode()))
    with Proxy(free_port()) as server:
        server.mode = "alien"
        said = tuner("trials", "mine", "--address", server.url, exit_code=4).stderr
    assert "what answers is no job server of Ray's (" in said and said.count("\n") == 1
