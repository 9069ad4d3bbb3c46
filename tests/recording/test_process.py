"""The recorder as the driver has it: a process, its pipe, its signals; and a tracking server that comes late."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest

from tests.servers import PATIENCE_S, MlflowServer, free_port, wait_until
from tuner.recording import RecorderProcess, backlog, read_cursor, service
from tuner.storage import StorageRoot, SweepFolder
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def recorded_events(folder: SweepFolder) -> int:
    return read_cursor(folder).seq


@pytest.fixture
def recorder(recorded: Story) -> Iterator[RecorderProcess]:
    process = RecorderProcess(recorded.folder)
    yield process
    process.kill()


def test_it_records_while_the_sweep_runs_and_drains_at_its_end(
    recorded: Story, recorder: RecorderProcess, database: Database
) -> None:
    recorder.start()
    recorded.trial(0, [0.5])
    wait_until(lambda: backlog(recorded.folder, len(recorded.events)) == 0)
    assert set(database.runs()) == {"s", "trial 0"}
    recorded.trial(1, [0.75])
    recorder.kill()
    recorded.add(ev.SweepEnded(reason="all trials ended"))
    assert recorder.finish(PATIENCE_S)
    assert backlog(recorded.folder, len(recorded.events)) == 0
    assert {status for status, _, _ in database.runs().values()} == {"FINISHED"}
    assert recorded.folder.recorder_log.read_text() == ""


def test_it_outlives_a_killed_driver_until_all_is_recorded(recorded: Story, database: Database) -> None:
    code = "import sys, time; from tuner.storage import SweepFolder; from tuner.recording import RecorderProcess;"
    code += "from pathlib import Path; RecorderProcess(SweepFolder(Path(sys.argv[1]))).start(); time.sleep(600)"
    driver = subprocess.Popen([sys.executable, "-c", code, str(recorded.folder.path)])
    wait_until(lambda: recorded_events(recorded.folder) == 1)
    for trial in range(20):
        recorded.trial(trial, [0.5, 0.25, 0.125])
    driver.kill()
    driver.wait()
    wait_until(lambda: recorded_events(recorded.folder) == len(recorded.events))
    with filelock.FileLock(recorded.folder.recorder_lock, timeout=PATIENCE_S):
        assert len(database.runs()) == 21


def test_without_a_server_it_gives_up_in_time_and_says_what_is_left(new_story: type[Story], tmp_path: Path) -> None:
    uri = f"http://someone:secret@127.0.0.1:{free_port()}"
    story = new_story(StorageRoot(tmp_path).sweep("s"), tracking={"uri": uri, "experiment": "e"})
    command = [sys.executable, "-m", "tuner.recording", str(story.folder.path), "--patience-seconds", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "MLflow accepts nothing, 1 events wait" in first
        process.send_signal(signal.SIGINT)  # meant for the driver alone
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()
    assert process.returncode == 4
    public = uri.replace("someone:secret@", "")
    assert f"tuner: sweep s: 1 event is not recorded in MLflow: {public}: it refuses connections." in rest
    assert f"finish with: tuner record s --storage {tmp_path}\n" in rest
    assert "secret" not in first + rest
    assert read_cursor(story.folder).trouble == f"{public}: it refuses connections"


def test_a_server_that_comes_late_gets_everything_once(
    new_story: type[Story],
    new_database: type[Database],
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(service, "BACKOFF_S", 0.2)
    monkeypatch.setattr(service, "BACKOFF_MAX_S", 0.2)
    port = free_port()
    story = new_story(StorageRoot(tmp_path).sweep("s"), tracking={"uri": f"http://127.0.0.1:{port}"})
    for trial in range(5):
        story.trial(trial, [0.5, None, 0.75])
    database = tmp_path / "server.db"
    shutil.copy(empty_database, database)
    shutdown = service.Shutdown(PATIENCE_S)
    recorder = threading.Thread(target=service.serve, args=(story.folder, shutdown))
    recorder.start()
    try:
        wait_until(lambda: "MLflow accepts nothing, 31 events wait" in caplog.text)
        with MlflowServer(f"sqlite:///{database}", tmp_path, port):
            wait_until(lambda: recorded_events(story.folder) == len(story.events))
            story.add(ev.SweepEnded(reason="all trials ended"))
            shutdown.ask()
            recorder.join()
    finally:
        shutdown.ask()
        recorder.join()
    held = new_database(database)
    assert held.runs().keys() == {"s", *(f"trial {trial}" for trial in range(5))}
    assert {status for status, _, _ in held.runs().values()} == {"FINISHED"}
    assert [value for _, _, value in held.metric("trial 4", "loss")] == [0.5, None, 0.75]
    assert [value for _, _, value in held.metric("s", "best_val_accuracy")] == [0.5, 0.75]
    assert list((tmp_path / "artifacts").rglob("spec.yaml"))
    assert "recording again after" in caplog.text
