"""Which files a trainable's code is seen to open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuner.inspection.opened import opened_files, watched


def test_the_user_s_files_are_seen_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "images").mkdir()
    for name in ("a.csv", "b.csv", "before.csv", "images/1.png"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "before.csv").read_text()
    with watched():
        Path("a.csv").read_text()
        with open(b"b.csv", "rb"):
            pass
        os.listdir("images")
        list(os.scandir(tmp_path / "images"))
        Path("made.csv").write_text("")
        Path("made.csv").read_text()
        Path(os.__file__).read_bytes()
        with pytest.raises(FileNotFoundError):
            Path("none.csv").read_text()
    (tmp_path / "before.csv").read_text()
    assert opened_files() == [str(tmp_path / name) for name in ("a.csv", "b.csv", "images")]
