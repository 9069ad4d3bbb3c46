"""Artifacts on their way: what is written late, what cannot be written, what must be sent again."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from tuner.recording import artifacts
from tuner.recording.artifacts import Uploads


class Store:
    """Takes texts, after as many refusals as it is told."""

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[tuple[str, str, str]] = []
        self.refusals = refusals

    def log_text(self, run_id: str, text: str, name: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError("no room")
        self.taken.append((run_id, text, name))


def fail() -> str:
    raise ValueError("no figure of that")


def test_a_text_may_be_written_when_it_is_sent_and_one_that_cannot_be_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    uploads = Uploads(store.log_text, str)
    with caplog.at_level(logging.WARNING, "tuner.recording"):
        uploads.start("run", fail, "report.html")
        uploads.start("run", lambda: "late", "late.txt")
        uploads.start("run", "plain", "plain.txt")
        assert uploads.wait(10) == []
    assert store.taken == [("run", "late", "late.txt"), ("run", "plain", "plain.txt")]
    assert caplog.messages == ["artifact report.html cannot be written: ValueError: no figure of that"]


def test_a_refused_text_is_sent_until_it_arrives_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "RETRY_S", 0.01)
    store = Store(refusals=2)
    uploads = Uploads(store.log_text, str)
    writings = iter(["once", "twice"])
    uploads.start("run", lambda: next(writings), "late.txt")
    assert uploads.wait(10) == [] and store.taken == [("run", "once", "late.txt")]


def test_a_folder_is_given_as_it_is_and_none_is_nothing(tmp_path: Path) -> None:
    taken: list[object] = []
    uploads = Uploads(lambda run, content, name: taken.append((run, content, name)), str)
    uploads.start("run", lambda: None, "nothing")
    uploads.start("run", lambda: tmp_path, "files")
    assert uploads.wait(10) == [] and taken == [("run", tmp_path, "files")]


def test_what_takes_long_to_write_is_waited_for_and_a_store_that_hangs_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    store, hangs = Store(), threading.Event()
    uploads = Uploads(store.log_text, str)
    begun = threading.Event()

    def slowly() -> str:
        begun.set()
        time.sleep(0.5)
        return "late"

    uploads.start("run", slowly, "report.html")
    assert begun.wait(10)
    assert uploads.wait(0.1) == [] and store.taken == [("run", "late", "report.html")]
    uploads = Uploads(lambda run, text, name: hangs.wait(30), str)
    uploads.start("run", "text", "spec.yaml")
    assert uploads.wait(0.1) == ["spec.yaml"]
    hangs.set()
    monkeypatch.setattr(artifacts, "PRODUCED_S", 0.1)
    uploads, ends = Uploads(store.log_text, str), threading.Event()
    begun.clear()
    uploads.start("run", lambda: (begun.set(), str(ends.wait(30)))[1], "report.html")
    assert begun.wait(10) and uploads.wait(10) == ["report.html"]
    ends.set()
