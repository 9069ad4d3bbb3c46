"""The sweep's storage as the recorder meets it: a disk that is full or gone, and an object store."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.recording.histories import PretendDriver, expected_rows, expected_statuses, trial_batches
from tests.servers import PATIENCE_S
from tests.simulation import make_spec, new_sweep
from tuner.recording import RecorderProcess, missing, read_cursor
from tuner.storage import StorageRoot
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[Path]:
    """A file system of 1 MiB; only root can have it."""
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def serve(folder: str, stderr: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """A recorder whose driver has ended already."""
    command = [sys.executable, "-P", "-m", "tuner.recording", folder, "--patience-seconds", "1"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, stderr=stderr, text=True, check=False)


def assert_told(stderr: str) -> None:
    """A last line for people, after one in the log at most: it may meet the fault before it knows that it is to end."""
    *before, last = stderr.splitlines()
    assert last.startswith("tuner: ")
    assert not before or (len(before) == 1 and "the journal cannot be read, " in before[0])


def test_a_journal_that_is_gone_is_told_in_a_line(story: Story) -> None:
    shutil.rmtree(story.folder.path)
    story.folder.path.mkdir()
    done = serve(str(story.folder.path))
    assert done.returncode == 4
    assert_told(done.stderr)
    assert str(story.folder.journal) in done.stderr


def test_a_folder_that_is_gone_is_told_in_a_line(story: Story) -> None:
    shutil.rmtree(story.folder.path)
    done = serve(str(story.folder.path))
    assert done.returncode == 4
    assert_told(done.stderr)


def test_a_damaged_journal_is_told_in_a_line(story: Story) -> None:
    with open(story.folder.journal, "ab") as file:
        file.write(b'{"event": nonsense}\n{"event": "sweep_ended"}\n')
    done = serve(str(story.folder.path))
    assert done.returncode == 4
    assert_told(done.stderr)


def test_a_log_that_cannot_be_written_changes_nothing(story: Story) -> None:
    shutil.rmtree(story.folder.path)
    with open("/dev/full", "wb") as full:
        assert serve(str(story.folder.path), full.fileno()).returncode == 4


def test_on_a_full_disk_it_records_all_the_same(
    empty_database: Path, new_database: type[Database], tmp_path: Path
) -> None:
    shutil.copy(empty_database, tmp_path / "elsewhere.db")
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    with small_disk(tmp_path / "disk") as disk:
        driver = PretendDriver(disk, "full", uri)
        driver.write(num_trials=3)
        driver.finish()
        with contextlib.suppress(OSError), open(disk / "filler", "wb", buffering=0) as filler:
            while True:
                filler.write(b"x" * 4096)
        recorder = RecorderProcess(driver.folder)
        recorder.start()
        assert recorder.finish()
        assert "Traceback" not in driver.folder.recorder_log.read_text()
        assert read_cursor(driver.folder).seq == 0
    held = new_database(uri, "full")
    assert {name: status for name, (status, _, _) in held.runs().items()} == expected_statuses(driver.events)


def test_a_sweep_on_an_object_store(
    s3_root: str, empty_database: Path, new_database: type[Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copy(empty_database, tmp_path / "elsewhere.db")
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    spec = make_spec(name="far", num_trials=3, tracking__uri=uri, tracking__experiment="far")
    journal = new_sweep(StorageRoot.resolve(s3_root).path, spec)  # type: ignore[arg-type]
    events = list(journal.events)
    recorder = RecorderProcess(journal.folder)
    recorder.start()
    for trial in range(3):
        for batch in trial_batches(trial):
            events += journal.append(*batch)
    events += journal.append(ev.SweepEnded(reason="all 3 trials ended"))
    journal.close()
    assert recorder.finish(PATIENCE_S)
    held = new_database(uri, "far")
    assert {name: status for name, (status, _, _) in held.runs().items()} == expected_statuses(events)
    assert [row for row in held.everything()["metrics"] if row[0] != "far"] == expected_rows(events)
    assert missing(journal.folder, events).events == 0
    assert (tmp_path / "cache").rglob("recorder.log")
