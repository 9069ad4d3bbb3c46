"""What people are told while a sweep ends."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.simulation import make_spec, new_sweep
from tuner.backend import left as module
from tuner.backend.left import left, told
from tuner.recording import Cursor
from tuner.recording.cursor import write_cursor


class Phases:
    """An observer that keeps the phases, and says when there are so many."""

    def __init__(self, awaited: int) -> None:
        self.phases: list[str] = []
        self.awaited, self.are_there = awaited, threading.Event()

    def phase(self, text: str) -> None:
        self.phases.append(text)
        if len(self.phases) >= self.awaited:
            self.are_there.set()


def test_only_what_is_left_is_named(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec())
    folder, sweep, ray = journal.folder, journal.sweep, Future[None]()
    done = threading.Event()
    report = threading.Thread(target=done.wait)
    report.start()
    assert left(folder, sweep, report, ray) == "recording, 1 event left; writing the report; ending Ray"
    write_cursor(folder, Cursor(trouble="http://u:secret@host:1 does not answer"))
    done.set()
    report.join()
    said = left(folder, sweep, report, ray)
    assert said.startswith("recording, 1 event left (") and said.endswith("; ending Ray") and "secret" not in said
    write_cursor(folder, Cursor(seq=1))
    ray.set_result(None)
    assert left(folder, sweep, report, ray) == ""
    write_cursor(folder, Cursor(seq=1, work="recording the model"))
    assert left(folder, sweep, report, ray) == "recording the model"


def test_news_is_told_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_AFTER_S", 0.001)
    monkeypatch.setattr(module, "EVERY_MAX_S", 0.001)
    texts = iter(["2 left", "2 left", "", "1 left"])
    observer = Phases(awaited=2)
    with told(observer, lambda: next(texts, "1 left")):  # type: ignore[arg-type]
        assert observer.are_there.wait(60)
    assert observer.phases == ["2 left", "1 left"]
