"""Artifacts on their way: what is written late, what cannot be written, what must be sent again."""

from __future__ import annotations

import logging
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
