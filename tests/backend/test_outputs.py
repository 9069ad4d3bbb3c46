"""What trainables printed: bounded while they run, and its end kept in a folder of the user's own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from tuner.backend import outputs

NOBODY = 2**22 + 1
"""No process has this number."""


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "session_2026-01-02_03-04-05_000006_7" / "logs"
    folder.mkdir(parents=True)
    return folder


def printed(logs: Path, text: str, pid: int = 11, kind: str = "out", older: int = 0) -> Path:
    path = logs / f"worker-{'ab' * 28}-01000000-{pid}.{kind}{f'.{older}' if older else ''}"
    path.write_text(text)
    return path


def kept(into: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in outputs.saved_outputs(into)}


def test_the_parts_of_an_output_are_kept_in_their_order_and_for_their_user_alone(logs: Path, tmp_path: Path) -> None:
    printed(logs, ":job_id:01000000\n:actor_name:Worker\nepoch 1\n", older=2)
    printed(logs, "epoch 2\n", older=1)
    printed(logs, "epoch 3\n")
    printed(logs, "Warning: slow\n", pid=12, kind="err")
    printed(logs, ":job_id:01000000\n\n", pid=13)
    (logs / "raylet.out").write_text("Ray's own")
    before = os.umask(0)
    try:
        outputs.keep(logs, tmp_path / "outputs")
    finally:
        os.umask(before)
    assert kept(tmp_path / "outputs") == {
        "2026-01-02_03-04-05_worker-11.out": "epoch 1\nepoch 2\nepoch 3\n",
        "2026-01-02_03-04-05_worker-12.err": "Warning: slow\n",
    }
    modes = {stat.S_IMODE(path.stat().st_mode) for path in outputs.saved_outputs(tmp_path / "outputs")}
    assert modes == {0o600} and stat.S_IMODE((tmp_path / "outputs").stat().st_mode) == 0o700
    outputs.keep(logs, tmp_path / "outputs")  # again, after a driver that was killed right then
    assert len(kept(tmp_path / "outputs")) == 2


def test_nothing_printed_makes_no_folder(logs: Path, tmp_path: Path) -> None:
    printed(logs, "")
    outputs.keep(logs, tmp_path / "outputs")
    assert not (tmp_path / "outputs").exists()


def test_only_the_end_of_much_is_kept(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "KEPT_BYTES", 20)
    printed(logs, "a" * 100 + "\n", older=1)
    printed(logs, "the very end\n")
    outputs.keep(logs, tmp_path / "outputs")
    assert kept(tmp_path / "outputs").popitem()[1] == "[94 bytes before this were not kept]\naaaaaa\nthe very end\n"


def test_all_that_is_kept_is_bounded_and_nothing_else_removed(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "ALL_KEPT_BYTES", 250)
    into = tmp_path / "outputs"
    into.mkdir()
    (into / "notes.txt").write_text("x" * 1000)
    for pid in (11, 12, 13):
        printed(logs, "x" * 100, pid=pid)
    outputs.keep(logs, into)
    assert list(kept(into)) == ["2026-01-02_03-04-05_worker-12.out", "2026-01-02_03-04-05_worker-13.out"]
    assert (into / "notes.txt").exists()


@pytest.mark.parametrize("planted", ["outputs", "outputs/2026-01-02_03-04-05_worker-11.out"])
def test_a_link_is_not_followed(logs: Path, tmp_path: Path, planted: str) -> None:
    printed(logs, "hello\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / planted).parent.mkdir(exist_ok=True)
    (tmp_path / planted).symlink_to(outside if planted == "outputs" else outside / "file")
    if planted == "outputs":
        with pytest.raises(OSError):
            outputs.keep(logs, tmp_path / "outputs")
        assert outputs.saved_outputs(tmp_path / "outputs") == []
    else:
        outputs.keep(logs, tmp_path / "outputs")
    assert list(outside.iterdir()) == []


def test_secrets_are_not_kept(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "canary-7f3a9-token")
    printed(logs, "no answer with canary-7f3a9-token\n")
    outputs.keep(logs, tmp_path / "outputs")
    assert "canary" not in kept(tmp_path / "outputs").popitem()[1]


def test_what_a_running_process_prints_is_bounded_and_its_end_is_all_there(tmp_path: Path) -> None:
    code = """
import sys
from contextlib import nullcontext
from pathlib import Path
from tuner.backend import outputs
for number in range(100_000):
    print(f"line {number:6} " + "x" * 487, flush=True)
    if number % 1000 == 999:
        outputs.drop_old(1, Path(sys.argv[1]))
"""
    path = tmp_path / "worker.out"
    with open(path, "ab") as file:
        subprocess.run([sys.executable, "-c", code, str(path)], stdout=file, check=True)
    older = tmp_path / "worker.out.1"
    assert path.stat().st_size <= outputs.FILE_BYTES + 500_000 and older.stat().st_size <= outputs.KEPT_BYTES + 100
    text = older.read_text() + path.read_text()
    assert text.startswith("[what was printed before this was not kept]\n")
    numbers = [int(line.split()[1]) for line in text.splitlines()[2:]]
    assert numbers == list(range(numbers[0], 100_000)) and len(numbers) > 8000


@pytest.mark.parametrize("planted", [True, False])
def test_only_an_output_s_own_file_is_emptied_and_no_link_written_through(tmp_path: Path, planted: bool) -> None:
    path, other = tmp_path / "worker.out", tmp_path / "other"
    for file in (path, other):
        file.write_bytes(b"x" * (outputs.FILE_BYTES + 1))
    if planted:
        path.with_name("worker.out.1").symlink_to(other)
    handle = os.open(path if planted else other, os.O_WRONLY | os.O_APPEND)
    try:
        with pytest.raises(OSError) if planted else nullcontext():
            outputs.drop_old(handle, path)
    finally:
        os.close(handle)
    assert {path.stat().st_size, other.stat().st_size} == {outputs.FILE_BYTES + 1}


def test_outputs_of_ended_workers_are_bounded_while_others_run(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "LIVE_BYTES", 250)
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        written = [printed(logs, "x" * 100, pid=pid) for pid in (running.pid, NOBODY, NOBODY + 1, NOBODY + 2)]
        for age_s, path in enumerate(written):
            os.utime(path, (1000 + age_s, 1000 + age_s))
        outputs.prune(logs)
        assert [path.exists() for path in written] == [True, False, False, True]
    finally:
        running.communicate(b"\n")
