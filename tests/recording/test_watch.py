"""The driver watches its recorder: one that dies or does not run is replaced, and MLflow has everything once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.recording.histories import Checker, PretendDriver, wait_until_recorded
from tests.servers import wait_until
from tuner.base.errors import UsageError
from tuner.recording import RecorderProcess, process, read_cursor, record, restarts
from tuner.recording.standing import is_at_work, recorder_standing

pytestmark = [pytest.mark.slow(8), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def driver(empty_database: Path, tmp_path: Path) -> Iterator[PretendDriver]:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with PretendDriver(tmp_path, "watched", None) as driver:
        yield driver


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def recorder(driver: PretendDriver, told: list[str]) -> Iterator[RecorderProcess]:
    recorder = RecorderProcess(driver.folder, told.append)
    yield recorder
    recorder.kill()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "WAIT_S", 0.1)
    monkeypatch.setattr(process, "LAST_WAITS_S", (0.1, 0.1, 0.1))


def recorders(driver: PretendDriver) -> list[psutil.Process]:
    """Those of the sweep, zombies included."""
    return [child for child in psutil.Process().children() if driver.folder.url in (_command(child) or "")]


def zombies() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def pid_of(recorder: RecorderProcess) -> int:
    assert recorder.pid is not None
    return recorder.pid


def test_killed_again_and_again_it_is_replaced_and_nothing_is_there_twice(
    driver: PretendDriver, recorder: RecorderProcess, told: list[str], checker: Checker, quick: None
) -> None:
    recorder.start()
    for number in range(1, 5):
        if number % 2:
            wait_until_recorded(driver)
        before = pid_of(recorder)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: recorder.pid != before)  # type: ignore[misc]
        assert len(told) == number and told[-1].startswith("the recorder was killed by SIGKILL; another one starts in ")
        assert len(recorders(driver)) == 1
    wait_until_recorded(driver)
    assert (read_cursor(driver.folder).restarts, read_cursor(driver.folder).recorder_trouble) == (4, "")
    driver.finish()
    assert recorder.finish() and len(told) == 4
    assert recorders(driver) == [] and zombies() == []
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")


def test_one_that_others_ask_to_end_or_that_does_not_run_is_replaced(
    driver: PretendDriver, recorder: RecorderProcess, told: list[str], checker: Checker, quick: None
) -> None:
    recorder.start()
    for number in (signal.SIGTERM, signal.SIGSTOP):
        wait_until_recorded(driver)
        before = pid_of(recorder)
        with pytest.MonkeyPatch.context() as patch:
            if number == signal.SIGSTOP:  # else a busy machine may take longer than that to end one in order
                patch.setattr(process, "SILENT_S", 4.0)
            os.kill(before, number)
            wait_until(lambda before=before: recorder.pid != before)  # type: ignore[misc]
        assert not psutil.pid_exists(before)
    wait_until_recorded(driver)
    [asked, silent] = told
    assert asked.startswith("the recorder ended with exit code 0 (")
    assert silent.startswith("the recorder gave no sign of life for 4 s and was killed; another one starts in ")
    driver.finish()
    assert recorder.finish()
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")


def test_one_that_is_killed_while_it_records_the_rest_is_replaced(
    driver: PretendDriver, recorder: RecorderProcess, told: list[str], checker: Checker, quick: None
) -> None:
    recorder.start()
    wait_until_recorded(driver)
    os.kill(pid_of(recorder), signal.SIGSTOP)  # so that something is left
    driver.finish()
    killer = threading.Timer(1.0, os.kill, (pid_of(recorder), signal.SIGKILL))
    killer.start()
    assert recorder.finish()
    assert len(told) == 1 and told[0].startswith("the recorder was killed by SIGKILL")
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")


def test_one_that_dies_at_once_each_time_is_given_up_once_and_tried_again_at_the_end(
    driver: PretendDriver,
    recorder: RecorderProcess,
    told: list[str],
    checker: Checker,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(restarts, "WAIT_MAX_S", 0.1)
    monkeypatch.setattr(restarts, "IN_VAIN_MAX", 3)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", shutil.which("false"))
        recorder.start()
        wait_until(lambda: len(told) == 4)
        time.sleep(0.5)
        assert recorders(driver) == [] and zombies() == [] and len(told) == 4
        assert "ended with exit code 1 (" in told[-1] and "nothing more is recorded until the sweep ends" in told[-1]
    cursor = read_cursor(driver.folder)
    standing = recorder_standing(driver.folder, cursor, "sqlite://", len(driver.events), is_running=True)
    assert standing == {"restarts": 3, "trouble": told[-1], "news": None}
    driver.finish()
    assert recorder.finish() and len(told) == 4
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")


def test_one_that_cannot_be_started_is_tried_again(
    driver: PretendDriver, recorder: RecorderProcess, told: list[str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/there/is/no/such/python")
        recorder.start()
        wait_until(lambda: len(told) == 1)
    assert told[0].startswith("the recorder cannot be started: No such file or directory; another one starts in")
    wait_until_recorded(driver)


def test_who_leaves_at_any_moment_leaves_one_recorder_at_most_and_the_rest_is_recorded(
    driver: PretendDriver, recorder: RecorderProcess, checker: Checker, quick: None
) -> None:
    """A driver whose Ray is lost stays for no second; here while the watch starts another one, or waits to."""
    for delay_s in (0.0, 0.05, 0.1, 0.15, 0.3):
        recorder.start()
        os.kill(pid_of(recorder), signal.SIGKILL)
        time.sleep(delay_s)
        assert not recorder.finish(0.0)
        assert len(recorders(driver)) == 1
        recorder.kill()
        assert recorders(driver) == [] and zombies() == []
    recorder.start()
    os.kill(pid_of(recorder), signal.SIGKILL)
    driver.finish()
    assert not recorder.finish(0.0)
    wait_until(lambda: read_cursor(driver.folder).seq == len(driver.events) and not is_at_work(driver.folder))
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")


def test_a_stopped_recorder_of_a_dead_driver_is_ended_by_the_next_and_told_to_who_records_by_hand(
    driver: PretendDriver, recorder: RecorderProcess, told: list[str], checker: Checker
) -> None:
    code = "import sys, time; from tuner.storage import SweepFolder; from tuner.recording import RecorderProcess;"
    code += "from pathlib import Path; RecorderProcess(SweepFolder(Path(sys.argv[1]))).start(); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code, str(driver.folder.path)]) as earlier:
        wait_until_recorded(driver)
        [orphan] = psutil.Process(earlier.pid).children()
        orphan.suspend()
        earlier.kill()
    standing = recorder_standing(driver.folder, read_cursor(driver.folder), "sqlite://", 9, is_running=False)
    assert f"its recorder is stopped (process {orphan.pid})" in standing["trouble"]
    with pytest.raises(UsageError, match=f"its recorder, process {orphan.pid}, is stopped"):
        record(driver.folder)
    recorder.start()
    wait_until_recorded(driver)
    assert told == [f"an earlier driver's recorder, process {orphan.pid}, was stopped and held the sweep: killed"]
    driver.finish()
    assert recorder.finish()
    checker.check(driver, f"sqlite:///{driver.folder.root.database}")
