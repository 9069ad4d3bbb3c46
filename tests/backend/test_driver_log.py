"""The log of a sweep's drivers."""

from __future__ import annotations

from pathlib import Path

from tuner.backend.driver_log import DriverLog
from tuner.storage import SweepFolder


def test_lines_are_added_with_the_time_and_without_secrets(tmp_path: Path) -> None:
    notes: list[str] = []
    for text in ("first", "at postgresql://user:hunter2@host/db", "caf\udce9\n"):
        DriverLog(SweepFolder(tmp_path), notes.append).write(text)
    lines = (tmp_path / "driver.log").read_text().splitlines()
    assert [line.split(" ", 2)[2] for line in lines][::2] == ["first", "caf\\udce9"]
    assert "hunter2" not in lines[1] and "host/db" in lines[1] and notes == []


def test_a_link_in_its_place_is_not_followed_and_is_reported_once(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch()
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "driver.log").symlink_to(elsewhere)
    notes: list[str] = []
    log = DriverLog(SweepFolder(tmp_path / "sweep"), notes.append)
    log.write("first")
    log.write("second")
    assert len(notes) == 1 and notes[0].startswith("nothing is logged: ") and elsewhere.read_text() == ""


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    notes: list[str] = []
    DriverLog(SweepFolder(tmp_path / "gone"), notes.append).write("first")
    assert notes == []
