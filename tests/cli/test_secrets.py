"""Secrets in what a user writes: told as a mistake or taken out, and never shown."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.conftest import MODELS, SPACE
from tuner.cli.app import _hide_credentials, run_command
from tuner.spec import dump_yaml
from tuner.spec.changes import changes_from_overrides

CANARY = "canary-7f3a9"
URI = f"https://me:{CANARY}@host/x"
RULE = "must hold no user, password or token"


def spec(folder: Path, **changes: Any) -> str:
    path = folder / "spec.yaml"
    content = {
        "name": "s",
        "trainable": f"{MODELS / 'tiny.py'}:Tiny",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 1,
        "epochs": {"max": 1},
        "space": SPACE,
        **changes,
    }
    path.write_text(dump_yaml(content))
    return str(path)


@pytest.fixture
def tuner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # what a command puts there is gone after the test

    def run(*arguments: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        monkeypatch.setattr(sys, "argv", ["tuner", *arguments])
        with pytest.raises(SystemExit) as left:
            run_command()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out + said.err

    return run


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"storage": f"s3://me:{CANARY}@bucket/sweeps"}, "storage"),
        ({"data": URI}, "data"),
        ({"data": f"https://host/x.npz?X-Amz-Signature={CANARY}"}, "data"),
        ({"search": {"warm_start": [URI]}}, "search.warm_start[0]"),
        ({"space": SPACE | {"source": {"choices": ["here", URI]}}}, "space.source.choices[1]"),
        ({"space": SPACE | {"source": URI}}, "space.source"),
        ({"search": {"points": [{"source": URI}]}}, "search.points[0].source"),
        ({"tracking": {"experiment": URI}}, "tracking.experiment"),
    ],
)
def test_a_password_in_a_spec_is_refused_where_it_would_be_copied(
    tmp_path: Path, tuner: Any, changes: dict[str, Any], path: str
) -> None:
    code, said = tuner("check", spec(tmp_path, **changes))
    lines = [line for line in said.splitlines() if f" {path}: " in line or f": {path}" in line]
    assert code == 2 and CANARY not in said
    assert any(RULE in line for line in lines), said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", f"tracking.uri=ftp://me:{CANARY}@host"],
        ["--set", f"tracking={URI}"],
        ["--set", f"tracking=[{URI}"],
        ["--set", f"storage=s3://me:{CANARY}@bucket"],
        ["--set", f"num_trials={URI}"],
        ["--set", f"{URI}=1"],
    ],
)
def test_a_mistake_beside_a_password_does_not_show_it(tmp_path: Path, tuner: Any, arguments: list[str]) -> None:
    code, said = tuner("check", spec(tmp_path), *arguments)
    assert code == 2 and said.strip() and CANARY not in said


def test_broken_yaml_does_not_show_it(tmp_path: Path, tuner: Any) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(f"name: s\ntracking: {{uri: {URI}\nspace: ]")
    code, said = tuner("check", str(path))
    assert code == 2 and "must be YAML" in said and CANARY not in said


@pytest.mark.parametrize("command", ["show", "resume", "verify", "record"])
def test_a_storage_root_has_no_password(tuner: Any, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    code, said = tuner(command, "s", "--storage", f"s3://me:{CANARY}@bucket/sweeps")
    assert code == 2 and "AWS_SECRET_ACCESS_KEY" in said and CANARY not in said
    monkeypatch.setenv("TUNER_STORAGE", f"s3://me:{CANARY}@bucket/sweeps")
    assert tuner(command, "s") == (code, said)


@pytest.mark.slow
def test_a_tracking_uris_password_goes_to_the_environment(
    tmp_path: Path, tuner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"postgresql://me:{CANARY}@host/db"
    code, said = tuner("check", spec(tmp_path, tracking={"uri": uri}), "--json")
    assert code == 0 and CANARY not in said
    assert json.loads(said[said.index("{") :])["spec"]["tracking"]["uri"] == "postgresql://host/db"
    assert os.environ["MLFLOW_TRACKING_URI"] == uri


def test_a_resume_changes_the_address_alone(tmp_path: Path, tuner: Any) -> None:
    from tuner.spec import load_spec

    before = load_spec(spec(tmp_path, tracking={"uri": "http://host:5000"})).resolved()
    same = f"tracking.uri=http://me:{CANARY}@host:5000"
    assert changes_from_overrides(before, [same], 0) == {}
    other = f"tracking.uri=http://me:{CANARY}@other:5000"
    assert changes_from_overrides(before, [other], 0) == {"tracking.uri": "http://other:5000"}


def test_a_command_line_with_a_password_is_started_anew_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda path, arguments, environ: started.append(arguments))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    uri = f"http://me:{CANARY}@host:5000"

    def hide(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["tuner", *arguments])
        monkeypatch.setattr(sys, "orig_argv", ["python", "/bin/tuner", *arguments])
        _hide_credentials()

    hide("run", "spec.yaml", "--set", f"tracking={{uri: {uri}}}", "--name", "s")
    assert started == [
        ["python", "/bin/tuner", "run", "spec.yaml", "--set", "tracking={uri: http://host:5000}", "--name", "s"]
    ]
    assert os.environ["MLFLOW_TRACKING_URI"] == uri
    hide(*started.pop()[2:])
    hide("resume", "s", "--set", f"tracking.uri={uri}", "--cluster", "cluster.yaml")
    hide("resume", "s", "--set", f"tracking.uri={uri}", "--address=http://127.0.0.1:8265")
    assert started == []
