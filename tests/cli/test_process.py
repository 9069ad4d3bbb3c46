"""The command as a process: streams that cannot be written, and signals before anything runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.inspection.test_inspection import BODY, HEAD
from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.spec import dump_yaml

pytestmark = pytest.mark.slow

TUNER = [sys.executable, "-m", "tuner.cli.main"]

AT_ITS_END = """
import atexit, os, sys, time, types
def run_command():
    atexit.register(lambda: (os.write(1, b"leaving\\n"), time.sleep(1)))
    os.write(1, b"ready\\n")
    time.sleep(60)
sys.modules["tuner.cli.app"] = types.SimpleNamespace(run_command=run_command)
sys.argv = ["tuner", "run"]
from tuner.cli.main import main
main()
"""


@pytest.mark.parametrize("command", ["schema", "trainables", "check digits", "check digits --json", "--help"])
@pytest.mark.parametrize(
    ("closing", "why"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
)
def test_data_that_cannot_be_written_is_one_line_and_exit_4(command: str, closing: str, why: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {closing}', "bash", *TUNER, *command.split()], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (4, f"standard output cannot be written: {why}\n")


def test_a_reader_that_leaves_changes_no_exit_code() -> None:
    script = '"$@" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", script, "bash", *TUNER, "trainables"], capture_output=True, text=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")


@pytest.mark.parametrize("option", [[], ["--follow"]])
def test_a_reader_of_a_log_that_leaves_changes_no_exit_code(tmp_path: Path, option: list[str]) -> None:
    new_sweep(tmp_path, make_spec()).close()
    (tmp_path / make_spec().name / "driver.log").write_text("a worker said this\n" * 100_000)
    logs = [*TUNER, "logs", make_spec().name, "--storage", str(tmp_path), *option]
    script = '"$@" | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", script, "bash", *logs], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("a worker said this\n0\n", "")


def test_a_reader_of_a_trial_that_prints_nothing_leaves_nobody_who_follows(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())  # its driver is this process
    coordinator_of(journal).next_trial()
    command = [*TUNER, "logs", make_spec().name, "--storage", str(tmp_path), "--trial", "0", "--follow"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(5)
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (0, "")
    journal.close()


def test_a_reader_that_leaves_gets_no_traceback() -> None:
    done = subprocess.run(["bash", "-c", '"$@" | head -1', "bash", *TUNER, "schema"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("{\n", "")


@pytest.mark.parametrize("closing", ["2>/dev/full", "2>&-", ">&- 2>&- <&-"])
def test_people_who_cannot_be_told_change_nothing(closing: str, tmp_path: Path) -> None:
    list_none = [*TUNER, "list", "--storage", str(tmp_path)]
    done = subprocess.run(["bash", "-c", f'"$@" {closing}', "bash", *list_none], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.usefixtures("heeded_sighup")
@pytest.mark.parametrize(("command", "code"), [("run", 3), ("check", 130)])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_anything_runs_ends_in_order_and_leaves_no_data_behind(
    command: str, code: int, number: signal.Signals, tmp_path: Path
) -> None:
    trainable, loading, spec = tmp_path / "mine.py", tmp_path / "loading", tmp_path / "spec.yaml"
    slow = f"import pathlib, time; pathlib.Path({str(loading)!r}).touch(); time.sleep(60)"
    trainable.write_text(HEAD + BODY.replace("x = np", f"{slow}; x = np"))
    written = {**make_spec().resolved(), "trainable": f"{trainable}:Mine", "num_trials": -1}
    spec.write_text(dump_yaml(written))  # its other problems are looked for before Ray starts
    before = set(Path("/dev/shm").iterdir())
    process = subprocess.Popen([*TUNER, command, str(spec)], stderr=subprocess.PIPE, text=True)
    while not loading.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    assert said == ("interrupted before the sweep was under way\n" if command == "run" else "")
    assert process.returncode == code
    assert {path for path in set(Path("/dev/shm").iterdir()) - before if path.name.startswith("tuner-")} == set()


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    command = ["bash", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(tmp_path), *TUNER, "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    said = "the working directory has been deleted: change to one that exists\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_nohup_counts() -> None:
    command = ["nohup", sys.executable, "-c", AT_ITS_END]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 3


def test_ctrl_c_in_quick_succession_gives_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", AT_ITS_END], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in ("ready\n", "leaving\n"):
        assert process.stdout.readline() == line
        process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (3, "interrupted before the sweep was under way\n")
