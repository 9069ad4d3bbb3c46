"""The source of a class that a program gives: with what it uses, and held against what was kept."""

from __future__ import annotations

import linecache
from pathlib import Path
from typing import Any

import pytest

import tuner
from tests.simulation import make_spec
from trainables.given import NotGivenError, giving, lookup
from tuner.base.errors import UsageError
from tuner.inspection.provenance import Accepted, copied_files, resuming, starting
from tuner.inspection.provenance.given import code_of_given, given_class
from tuner.spec import dump_yaml
from tuner.storage import SweepFolder
from tuner.storage.journal import create_sweep, read_events
from tuner.sweep import events as ev
from tuner.sweep import fold

CELL = """
import numpy as np
from trainables import Data, Trainable
SCALE = 3
UNUSED = 4
def scaled(x):
    return x * SCALE
class Base(Trainable):
    loss = "mse"
    def load_data(self):
        return scaled(np.zeros(1))
class Mine(Base):
    def build_model(self, params):
        import keras
        return keras.Sequential(LAYERS)
class OfAttributes(Mine):
    loss = "mae"
"""


def cell(text: str, name: str, cls: str = "Mine") -> Any:
    """A class as a notebook's kernel makes it: of text that is in no file."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    import types

    module = types.ModuleType(f"module_of_{len(name)}")
    import sys

    sys.modules[module.__name__] = module
    exec(compile(text, name, "exec"), vars(module))
    return vars(module)[cls]


def source(given: Any) -> str:
    with giving(given):
        code = code_of_given(given.name)
    assert code is not None
    return code.sources.files[code.sources.main].decode()


def test_a_class_is_kept_with_what_it_uses() -> None:
    given = given_class(cell(CELL, "/tmp/ipykernel_1/1.py"))
    with giving(given):
        code = code_of_given("python:Mine")
    assert code is not None and code.manifest["main"] == "Mine.py"
    text = source(given)
    assert [text.index(part) for part in ("SCALE = 3", "def scaled", "class Base", "class Mine")] == sorted(
        text.index(part) for part in ("SCALE = 3", "def scaled", "class Base", "class Mine")
    )
    assert "UNUSED" not in text and {"numpy", "keras"} <= set(code.manifest["packages"])
    assert given.texts == {"/tmp/ipykernel_1/1.py": CELL}


def test_a_class_of_attributes_alone_is_found_by_its_name() -> None:
    assert 'class OfAttributes(Mine):\n    loss = "mae"' in source(
        given_class(cell(CELL, "/tmp/ipykernel_1/22.py", "OfAttributes"))
    )


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    with giving(given_class(cell(CELL, "/tmp/ipykernel_1/333.py"))):
        begins = starting("python:Mine", lambda text: None)
    assert begins.sources is None and begins.new is not None
    spec = make_spec(trainable="python:Mine")
    started = ev.SweepStarted(spec=spec.resolved(), versions={}, seed=1, code=begins.manifest)
    folder = SweepFolder(tmp_path / "test")
    create_sweep(folder, dump_yaml(spec.resolved()), started, files=copied_files(begins.new)).close()
    return folder


def resume(folder: SweepFolder, text: str, **accepted: bool) -> list[str]:
    told: list[str] = []
    with giving(given_class(cell(text, "/tmp/ipykernel_1/4444.py"))):
        resuming(folder, fold(read_events(folder)), Accepted(**accepted), told.append)
    return told


@pytest.mark.parametrize(("old", "new"), [("SCALE = 3", "SCALE = 4"), ("Sequential(", "Model("), ("x * ", "x + ")])
def test_other_source_is_refused_unless_it_is_accepted(folder: SweepFolder, old: str, new: str) -> None:
    assert resume(folder, CELL) == [] and resume(folder, CELL.replace("UNUSED = 4", "UNUSED = 5")) == []
    changed = CELL.replace(old, new)
    with pytest.raises(UsageError) as caught:
        resume(folder, changed)
    lines = str(caught.value).splitlines()
    assert lines[0] == "code: Mine.py is changed since the sweep was trained with it"
    assert any(line.startswith("  -") and old in line for line in lines) and "with_changed_code=True" in lines[-1]
    assert "goes on with the changed code" in resume(folder, changed, code=True)[0]


def test_without_the_class_there_is_one_line(folder: SweepFolder) -> None:
    with pytest.raises(UsageError, match="trainable: Mine is a class of a notebook or a script") as caught:
        resuming(folder, fold(read_events(folder)), Accepted(), lambda text: None)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotGivenError, match="trainable=Mine"):
        lookup("python:Mine")
    other = cell(CELL.replace("Mine", "Other"), "/tmp/ipykernel_1/55555.py", "Other")
    with pytest.raises(tuner.UsageError, match="has python:Mine, but got python:Other"):
        tuner.load("test", storage=folder.root.url, trainable=other)
