"""The pipe between a recorder and its driver."""

from __future__ import annotations

import os
import threading

import pytest

from tests.servers import wait_until
from tuner.recording import line
from tuner.recording.line import DriverEnd, RecorderEnd


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def driver(told: list[str]) -> DriverEnd:
    return DriverEnd(told.append)


def test_news_are_told_and_beats_are_not(driver: DriverEnd, told: list[str]) -> None:
    recorder = RecorderEnd(driver.far_end)
    recorder.tell("first,\n of two lines")
    recorder.tell("zweitens: größer")
    wait_until(lambda: driver.hear(0.1) or len(told) == 2)
    assert told == ["first, of two lines", "zweitens: größer"]


def test_who_beats_is_not_silent_and_who_does_not_is(driver: DriverEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        driver.hear(0.01)
    assert driver.silent_s >= 0.03
    monkeypatch.setattr(line, "BEAT_S", 0.01)
    RecorderEnd(driver.far_end)
    driver.hear(5.0)
    assert driver.silent_s == 0.0


def test_the_time_in_which_the_driver_itself_did_not_run_is_no_silence(
    driver: DriverEnd, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 500.0])
    monkeypatch.setattr(line.time, "monotonic", lambda: next(times))
    driver.hear(0.01)
    assert driver.silent_s == 0.02


def test_a_death_is_heard_at_once(driver: DriverEnd) -> None:
    threading.Timer(0.05, driver.close_far_end).start()
    driver.hear(600.0)
    assert driver.is_cut
    driver.hear(600.0)


def test_a_recorder_without_its_driver_goes_on() -> None:
    end, far_end = os.pipe()
    recorder = RecorderEnd(far_end)
    for _ in range(5000):
        recorder.tell("a driver that is stopped does not read " * 10)
    os.close(end)
    recorder.tell("a driver that is dead does not read")
    RecorderEnd(None).tell("nobody hears")


def test_a_long_piece_of_news_is_one_write() -> None:
    end, far_end = os.pipe()
    RecorderEnd(far_end).tell("ü" * 10_000)
    data = os.read(end, 100_000).lstrip(b"\n")
    assert data.startswith("ü".encode() * line.NEWS_CHARS_MAX) and len(data) < 4096
