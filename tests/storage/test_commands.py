"""Commands that we print: they work where they are pasted."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tuner.cluster import launched
from tuner.cluster.launch import tuner_there
from tuner.storage import StorageRoot
from tuner.storage.commands import program, storage_option


@pytest.mark.slow
def test_a_store_that_the_environment_names_needs_no_option_also_once_it_was_asked(
    s3_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_STORAGE", s3_root)
    root = StorageRoot.resolve()
    assert root.sweeps() == [] and storage_option(root) == ""
    assert storage_option(StorageRoot.resolve(f"{s3_root}/other")) == f" --storage {s3_root}/other"


def test_what_runs_on_a_head_names_the_way_to_it(tmp_path: Path) -> None:
    """`stop` there prints how to go on, for who asked from a laptop."""

    class Head:
        name, option = "mine", "--cluster 'my clusters/c.yaml'"

        def pass_on(self, script: str, to_people: bool = False) -> int:
            environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "python": str(tmp_path / "python")}
            self.said = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=True)
            return 0

    (tmp_path / ".tuner" / "launched" / "mine" / "project").mkdir(parents=True)
    (tmp_path / "python").write_text('#!/bin/sh\necho "$TUNER_ASKED_BY"\n')
    (tmp_path / "python").chmod(0o755)
    head = Head()
    assert tuner_there(head, "mine", ["stop", "mine"]) == 0  # type: ignore[arg-type]
    assert head.said.stdout.strip() == head.option
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNER_ASKED_BY", head.option)
        assert storage_option(StorageRoot.resolve(str(tmp_path))) == f" {head.option}"


@pytest.mark.parametrize("asked_by", ["", "--cluster c.yaml"])
def test_what_a_driver_on_a_head_tells_works_elsewhere(
    asked_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its storage is in its environment, which nobody has who reads it on a laptop."""
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path), **({"TUNER_ASKED_BY": asked_by} if asked_by else {})})
    monkeypatch.setattr(os, "execv", lambda *command: None)
    monkeypatch.setattr(sys, "argv", ["launched", "mine", "run", "sweep.yaml"])
    folder = tmp_path / ".tuner" / "launched" / "mine"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (folder / "environment").write_text(json.dumps({"TUNER_STORAGE": "s3://bucket/sweeps"}))
    launched.main()
    assert storage_option(StorageRoot.resolve()) == f" {asked_by or '--storage s3://bucket/sweeps'}"


def test_a_program_in_a_folder_with_spaces_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "my venv" / "tuner")])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert shlex.split(program()) == [str(tmp_path / "my venv" / "tuner")]
    monkeypatch.chdir(tmp_path)
    assert program() == "'my venv/tuner'"
