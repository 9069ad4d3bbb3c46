"""Processes that others start for one another: who dies with whom, what is told, and what is left behind."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tuner.processes import EndedError, Server, client, forking, node_server, wire
from tuner.processes.generated import remove_generated
from tuner.processes.shared import packed, read_shared, write_packed

WORK = f"{__name__}:work"


def work(connection: socket.socket, kept: dict[str, int]) -> None:
    """Answers questions in the process that was started."""
    data = {name: read_shared(file) for name, file in kept.items()}
    while True:
        try:
            question, _ = wire.receive(connection)
        except EOFError:
            return
        match question:
            case "who":
                answer: Any = {
                    "pid": os.getpid(),
                    "parent": os.getppid(),
                    "environment": os.environ.get("TUNER_TESTED"),
                    "folder": os.getcwd(),
                    "has_tensorflow": "tensorflow" in sys.modules,
                    "oom": Path("/proc/self/oom_score_adj").read_text().strip(),
                    "draws": float(np.random.rand()),
                }
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "leave":
                sys.exit(3)
            case "raise":
                raise ValueError("as it was asked to")
            case "child":
                if not (child := os.fork()):
                    time.sleep(600)
                answer = child
            case "sum":
                answer = {name: float(value["x"].sum()) for name, value in data.items()}
            case "private":
                before = _private_bytes()
                value = data["arrays"]["x"]
                total = float(value.sum())
                answer = (_private_bytes() - before, total)
            case _:
                print(question, flush=True)
                answer = question
        wire.send(connection, answer)


def _private_bytes() -> int:
    """Pages that no other process can have: those of a file that it maps may be others', too."""
    rollup = dict(line.split(":", 1) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return 1024 * int(rollup["Anonymous"].split()[0])


@pytest.fixture
def plain() -> Iterator[Server]:
    """A server that forks nobody: it imports nothing, so these tests are fast."""
    token = f"test-{os.getpid()}-{time.monotonic_ns()}"
    name = forking.server_name(token)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tuner.processes", name[1:], "--owned", "--plain"], stdin=subprocess.PIPE
    )
    server = Server(name, token, process)
    yield server
    server.end()


def start(server: Server, **options: Any) -> client.Process:
    return server.start(WORK, is_forked=options.pop("is_forked", False), **options)


def ask(process: client.Process, question: str) -> Any:
    process.send(question)
    return process.receive()


def gone(pid: int, within_s: float = 20) -> bool:
    """Whether a process ends within this time, and is no zombie, unless it is for the first process to reap it."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE and process.ppid() == 1:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_it_has_the_environment_and_the_folder_of_who_wanted_it(plain: Server, tmp_path: Path) -> None:
    environment = {**os.environ, "TUNER_TESTED": "yes"}
    process = start(plain, environment=environment, folder=str(tmp_path))
    found = ask(process, "who")
    assert (found["environment"], found["folder"]) == ("yes", str(tmp_path))
    assert found["pid"] == process.pid and found["oom"] == "1000"
    process.close()
    assert gone(found["pid"])


def test_what_it_prints_goes_where_its_wanter_says(plain: Server, tmp_path: Path) -> None:
    with open(tmp_path / "printed", "wb") as file:
        process = start(plain, outputs=(file.fileno(), file.fileno()))
        ask(process, "heard")
        process.close()
    assert (tmp_path / "printed").read_text() == "heard\n"


@pytest.mark.parametrize(
    ("question", "how"),
    [
        ("crash", "was killed by SIGSEGV"),
        ("leave", "ended with exit code 3"),
        ("raise", "ended with exit code 1"),
    ],
)
def test_how_it_ended_is_told_at_once(plain: Server, question: str, how: str) -> None:
    with open(os.devnull, "wb") as nowhere:
        process = start(plain, outputs=(nowhere.fileno(), nowhere.fileno()))
        pid = process.pid
    with pytest.raises(EndedError, match=how):
        ask(process, question)
    assert gone(pid)


def test_what_it_started_ends_with_it_and_keeps_nobody_waiting(plain: Server) -> None:
    process = start(plain)
    grandchild = ask(process, "child")  # holds the connection, too
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(EndedError, match="SIGKILL"):
        process.receive()
    assert gone(grandchild)


def test_it_ends_with_who_wanted_it(plain: Server) -> None:
    start(plain).close()  # it listens
    code = (
        "import sys, time\n"
        "from tuner.processes import Server\n"
        f"process = Server({plain._name!r}).start({WORK!r}, is_forked=False)\n"
        "print(process.pid, flush=True)\n"
        "time.sleep(600)"
    )
    wanter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert wanter.stdout is not None
    pid = int(wanter.stdout.readline())
    assert psutil.pid_exists(pid)
    wanter.kill()
    wanter.communicate()
    assert gone(pid)


def test_it_is_cut_while_another_thread_waits_for_it_which_hears_of_its_end(plain: Server) -> None:
    process = start(plain)
    pid = ask(process, "who")["pid"]
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(process.receive)
        time.sleep(0.1)
        process.cut()
        assert gone(pid)
        with pytest.raises(EndedError):
            waits.result(20)


def test_all_end_with_the_server_and_it_is_told(plain: Server) -> None:
    one, other = start(plain), start(plain)
    pids = [one.pid, other.pid]
    assert plain._process is not None
    plain._process.kill()
    for process in (one, other):
        with pytest.raises(EndedError, match=r"with the process that it was forked from|SIGKILL"):
            process.receive()
    assert all(gone(pid) for pid in pids)
    with pytest.raises(ConnectionError):
        start(plain)


def test_the_server_ends_with_its_driver() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "from tuner.processes import forking\n"
        "name = forking.server_name('driver' + str(os.getpid()))\n"
        "arguments = [sys.executable, '-P', '-m', 'tuner.processes', name[1:], '--owned', '--plain']\n"
        "server = subprocess.Popen(arguments, stdin=subprocess.PIPE)\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    server = int(driver.stdout.readline())
    driver.kill()
    driver.communicate()
    assert gone(server)


def test_a_nodes_server_is_one_however_many_begin_it_and_leaves_when_it_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TUNER_FORK_LINGER_S", "0.5")
    monkeypatch.setenv("PYTHON_TESTED", str(time.monotonic_ns()))  # a name of its own
    processes = [node_server(is_forked=False).start(WORK, is_forked=False) for _ in range(3)]
    parents = {ask(process, "who")["parent"] for process in processes}
    assert len(parents) == 1
    [server] = parents
    for process in processes:
        process.close()
    assert gone(server)


def test_data_are_written_once_and_shared(plain: Server) -> None:
    x = np.arange(8 << 20, dtype=np.float32)  # 32 MiB
    file = write_packed(packed({"x": x}))
    gave: list[int] = []

    def give() -> int:
        gave.append(1)
        return os.dup(file)

    processes = [start(plain, data="arrays", give=give) for _ in range(3)]
    for process in processes:
        private_bytes, total = ask(process, "private")
        assert total == float(x.sum()) and private_bytes < x.nbytes / 8
        process.close()
    assert len(gave) == 1
    os.close(file)


def test_who_is_asked_for_data_and_dies_is_not_waited_for(plain: Server) -> None:
    file = write_packed(packed({"x": np.ones(3)}))

    def give() -> int:
        return os.dup(file)

    first, second, third = (start(plain, data="later", give=give) for _ in range(3))
    first.close()  # it may have been asked
    assert ask(second, "sum") == ask(third, "sum") == {"later": 3.0}
    second.close()
    third.close()
    os.close(file)


def test_another_users_process_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    assert wire.is_own(one)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not wire.is_own(one)
    one.close()
    other.close()


@pytest.mark.slow
def test_forks_have_tensorflow_and_one_crash_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_TESTED", str(time.monotonic_ns()))
    server = client.begin()
    assert server is not None
    try:
        one, other = start(server, is_forked=True), start(server, is_forked=True)
        first, second = ask(one, "who"), ask(other, "who")
        assert first["has_tensorflow"] and second["has_tensorflow"]
        assert first["parent"] == second["parent"] and first["draws"] != second["draws"]
        with pytest.raises(EndedError, match="SIGSEGV"):
            ask(one, "crash")
        assert ask(other, "who")["pid"] == second["pid"]
        plain_one = start(server)
        assert not ask(plain_one, "who")["has_tensorflow"]
        plain_one.close()
        other.close()
    finally:
        server.end()
    assert gone(first["parent"]) and gone(second["pid"])


def test_functions_that_tensorflow_has_converted_leave_no_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = tmp_path / "__autograph_generated_file_one.py"
    module.write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    found = importlib.import_module(module.stem)
    monkeypatch.delitem(sys.modules, module.stem)
    monkeypatch.setitem(sys.modules, module.stem, found)
    remove_generated()
    assert not module.exists()
    module.touch()
    remove_generated()
    assert module.exists()  # it is another's
