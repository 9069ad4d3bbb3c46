"""The folder of a Ray of our own: nobody else gets in, nothing planted is followed, nothing of others is removed."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.backend import outputs, ray_folder
from tuner.backend.ray_folder import RayFolder, live_logs
from tuner.base.errors import ServiceError, UsageError

SESSION = "session_2026-01-02_03-04-05_000006_7"
DRIVER = """
import sys, time
from tuner.backend.ray_folder import RayFolder
folder = RayFolder()
print(folder.path, flush=True)
time.sleep(60)
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder as all users have, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="p-"))
    folder.chmod(0o1777)
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def printed(folder: Path, text: str = "hello\n", session: str = SESSION, pid: int = 2**22 + 1) -> Path:
    """A worker's output as Ray keeps it."""
    log = folder / "r" / session / "logs" / f"worker-{'0' * 56}-ffffffff-{pid}.out"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log


def test_it_is_closed_and_leaves_nothing(place: Path) -> None:
    before = os.umask(0o777)
    try:
        folder = RayFolder()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700 and folder.path.parent == place
    printed(folder.path)
    (folder.path / "r" / "session_latest").symlink_to("/etc")
    folder.close()
    assert list(place.iterdir()) == [] and Path("/etc/passwd").exists()


def test_what_is_planted_under_its_name_is_neither_used_nor_removed(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "victim").write_text("data")
    (place / "tuner-aaaa").symlink_to(tmp_path)
    (place / "tuner-bbbb").mkdir(0o777)
    (place / "tuner-cccc").write_text("a file")
    (place / "tuner-dddd").symlink_to("/nonexistent")
    letters = itertools.chain.from_iterable(itertools.repeat(letter, 4) for letter in "abcde")
    monkeypatch.setattr(secrets, "choice", lambda _: next(letters))
    folder = RayFolder()
    assert folder.path == place / "tuner-eeee"
    folder.close()
    assert sorted(path.name for path in place.iterdir()) == ["tuner-aaaa", "tuner-bbbb", "tuner-cccc", "tuner-dddd"]
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]


def test_what_a_killed_driver_left_goes_with_the_next_one_and_its_outputs_are_kept(place: Path, tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    left = Path(driver.stdout.readline().strip())
    marker = left / "tuner-ray.json"
    marker.write_text(json.dumps({"outputs": str(tmp_path / "outputs")}))
    printed(left)
    assert live_logs(tmp_path / "outputs") == [left / "r" / SESSION / "logs"]
    RayFolder().close()
    assert left.is_dir(), "it was in use"
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    driver.stdout.close()
    RayFolder().close()
    assert list(place.iterdir()) == [] and live_logs(tmp_path / "outputs") == []
    assert [path.read_text() for path in outputs.saved_outputs(tmp_path / "outputs")] == ["hello\n"]


def test_folders_that_only_look_like_ours_stay(place: Path) -> None:
    (place / "tuner-data").mkdir(0o700)
    (place / "tuner-data" / "thesis").write_text("data")
    (place / "tuner-long").mkdir(0o755)
    (place / "tuner-long" / "tuner-ray.json").write_text("{}")
    outside = place / "outside"
    outside.mkdir(0o700)
    (outside / "tuner-ray.json").write_text("{}")
    (place / "tuner-link").symlink_to(outside)
    RayFolder().close()
    assert sorted(path.name for path in place.iterdir()) == ["outside", "tuner-data", "tuner-link", "tuner-long"]
    assert (outside / "tuner-ray.json").exists()


def test_what_a_late_worker_has_made_anew_of_a_removed_folder_goes(place: Path) -> None:
    for name in ("late", "long", "kept", "data"):
        session = place / f"tuner-{name}" / "r" / SESSION
        (session / "logs" / "old").mkdir(parents=True)
        (session.parent / "session_latest").symlink_to(session)
    (place / "tuner-kept" / "r" / SESSION / "logs" / "a.out").touch()
    (place / "tuner-data" / "thesis").touch()
    for name in ("long", "kept", "data"):
        os.utime(place / f"tuner-{name}", (1, 1))
    RayFolder().close()
    assert sorted(path.name for path in place.iterdir()) == ["tuner-data", "tuner-kept", "tuner-late"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another user")
def test_another_user_s_folder_stays(place: Path) -> None:
    theirs = place / "tuner-xxxx"
    theirs.mkdir(0o700)
    (theirs / "tuner-ray.json").write_text("{}")
    os.chown(theirs, 65534, 65534)
    RayFolder().close()
    assert theirs.is_dir() and live_logs(place) == []


def test_a_folder_in_which_others_can_replace_it_is_refused(place: Path) -> None:
    place.chmod(0o777)
    with pytest.raises(UsageError, match=r"\$RAY_TMPDIR: .* every user can replace .* set RAY_TMPDIR to another one"):
        RayFolder()


@pytest.mark.parametrize("where", ["/sys", "/proc", "/nonexistent", "/dev/null"])
@pytest.mark.parametrize("variable", ["RAY_TMPDIR", "TMPDIR"])
def test_no_place_for_it_is_one_line(monkeypatch: pytest.MonkeyPatch, where: str, variable: str) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, where)
    with pytest.raises((UsageError, ServiceError)) as refused:
        RayFolder()
    said = str(refused.value)
    assert where in said and "set RAY_TMPDIR to another" in said and "\n" not in said


def test_a_path_too_long_for_a_socket_is_told_with_its_bound(
    monkeypatch: pytest.MonkeyPatch, place: Path, tmp_path: Path
) -> None:
    longest = place / ("ü" * 20)
    monkeypatch.setenv("RAY_TMPDIR", str(longest))
    with pytest.raises(
        UsageError, match=r"\$RAY_TMPDIR: .* may have \d+ bytes, but got .*; set RAY_TMPDIR to a folder"
    ):
        RayFolder()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setattr(ray_folder, "FREE_BYTES", 1 << 60)
    with pytest.raises(ServiceError, match=f"{place} has .* free, but Ray's logs and sockets need"):
        RayFolder()
    assert list(place.iterdir()) == []
