"""Messages name options to those at a shell, and keywords to programs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tuner
from tests.cli.test_commands import tuner as command
from tests.simulation import make_spec, new_sweep
from tuner.base import hints
from tuner.storage import StorageRoot
from tuner.storage.commands import resume_command

ROOT = Path(hints.__file__).parents[1]
KEYWORDS = ("name", "storage", "address", "or-resume", "with-changed-code", "with-changed-data", "output", "num-trials")
SPEC = {
    "trainable": "digits",
    "name": "test",
    "objective": tuner.maximize("val_accuracy"),
    "num_trials": 1,
    "epochs": 1,
    "space": {"learning_rate": 0.1},
}


def test_an_option_is_what_its_reader_writes() -> None:
    assert (hints.option("or_resume", True), hints.option("or_resume")) == ("or_resume=True", "or_resume")
    assert hints.option("address", "auto") == 'address="auto"'
    with hints.on_command_line():
        assert (hints.option("or_resume", True), hints.option("or_resume")) == ("--or-resume", "--or-resume")
        assert hints.option("address", "auto") == "--address auto"
        code = "from tuner.base import hints; print(hints.option('name'))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "--name\n"
    assert not hints.is_command_line()


def test_what_resumes_a_sweep_can_be_pasted(tmp_path: Path) -> None:
    root = StorageRoot(tmp_path)
    assert resume_command("a", root, "h:1") == f'tuner.resume("a", storage="{tmp_path}", address="h:1")'
    with hints.on_command_line():
        assert resume_command("a", root, "h:1") == f"tuner resume a --storage {tmp_path} --address h:1"


def test_no_room_below_the_command_line_spells_an_option_of_python_itself() -> None:
    wrong = []
    for path in (path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in ("cli", "cluster")):
        tree = ast.parse(path.read_text())
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                words = node.value.replace(",", " ").replace(")", " ").replace(":", " ").split()
                wrong += [f"{path}: {node.value}" for keyword in KEYWORDS if f"--{keyword}" in words]
    allowed = ("spec_file.py", "storage/commands.py")  # where both are said, each to its reader
    assert [line for line in wrong if not line.partition(": ")[0].endswith(allowed)] == []


def test_errors_of_python_name_keywords_and_those_of_commands_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    new_sweep(tmp_path, make_spec()).close()
    here = {"storage": tmp_path}
    with pytest.raises(tuner.NameTakenError) as taken:
        tuner.run(**SPEC, **here, progress=False)  # type: ignore[arg-type]
    way = f'resume it (tuner.resume("test", storage="{tmp_path}"), or or_resume=True), or choose another name (name)'
    assert str(taken.value) == f"sweep test exists in {tmp_path}: {way}"
    with pytest.raises(tuner.UsageError, match=r"^with_changed_code: has no meaning without or_resume, as"):
        tuner.run(**SPEC, **here, with_changed_code=True)  # type: ignore[arg-type]
    with pytest.raises(tuner.UsageError, match=r"there are no sweeps there \(storage selects another root\)$"):
        tuner.load("test", storage=tmp_path / "none")
    with pytest.raises(tuner.UsageError, match=r"^address: must be that of a Ray cluster"):
        tuner.run(**{**SPEC, "name": "b"}, **here, address="x", progress=False)  # type: ignore[arg-type]
    with pytest.raises(tuner.UsageError, match=r"^output: must be in a folder that there is"):
        tuner.load("test", **here).report("none/x.html")  # type: ignore[arg-type]
    said = command("run", "digits", "--name", "test", "--storage", str(tmp_path), exit_code=2).stderr
    assert "or --or-resume), or choose another name (--name)" in said and "tuner resume test --storage" in said
    said = command("show", "x", "--storage", str(tmp_path / "none"), exit_code=2).stderr
    assert "--storage selects another" in said
