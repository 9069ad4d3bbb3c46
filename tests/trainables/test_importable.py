"""Trainables of packages that Python finds by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tuner
from trainables import registry
from trainables.importable import import_folder, is_importable, load_importable, look_around, module_file
from tuner.api.classes import named
from tuner.inspection import inspect
from tuner.inspection.provenance.code import collect
from tuner.spec import spec_from_mapping

MODEL = """
from trainables.digits import Digits
from .layers import UNITS
class Mine(Digits):
    units = UNITS
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "src" / "mypackage" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "layers.py").write_text("UNITS = 3\n")
    (folder / "dense.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path / "src")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("trainable", "expected"),
    [("a.b:C", True), ("a:C", True), ("digits", False), ("a.py:C", False), ("./a.b:C", False), ("python:C", False)],
)
def test_a_module_s_class_is_told_from_files_and_names(trainable: str, expected: bool) -> None:
    assert is_importable(trainable) is expected


def test_a_class_of_a_package_is_found_by_its_name(package: Path) -> None:
    cls = load_importable("mypackage.models.dense:Mine")
    assert cls.units == 3  # type: ignore[attr-defined]
    assert named(cls) == ("mypackage.models.dense:Mine", None)
    assert import_folder("mypackage.models.dense:Mine") == str(package.parents[1])
    code = collect("mypackage.models.dense:Mine")
    assert code is not None and code.manifest["main"] == "mypackage/models/dense.py"
    below = ["__init__.py", "models/__init__.py", "models/dense.py", "models/layers.py"]
    assert sorted(code.manifest["files"]) == [f"mypackage/{name}" for name in below]
    assert tuner.check("digits", trainable="mypackage.models.dense:Mine")["training_examples"] == 1200


def test_a_package_of_the_project_around_the_spec_need_not_be_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the spec's file, wherever the command is called; also from what a cluster's job has shipped."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "project" / "src" / "aroundspec"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('a package is not imported to find its module')\n")
    (package / "dense.py").touch()
    (tmp_path / "project" / "pyproject.toml").touch()
    look_around("aroundspec.dense:Mine", tmp_path / "project")
    assert module_file("aroundspec.dense:Mine") == package / "dense.py"
    assert import_folder("aroundspec.dense:Mine") == str(package.parent)
    monkeypatch.setenv("RAY_CHDIR_TO_TRIAL_DIR", "0")
    monkeypatch.chdir(tmp_path / "project")
    assert import_folder("aroundspec.dense:Mine") == "src"  # relative: a job lies elsewhere on each node
    assert module_file("aroundspec.none:Mine") is None and import_folder("aroundspec.none:Mine") is None


@pytest.mark.parametrize(
    ("trainable", "message"),
    [
        ("mypackage.models.dens:Mine", "must be a module that Python finds, but there is none"),
        ("nopackage.at.all:Mine", "must be a module that Python finds, but there is none"),
        ("mypackage.models.dense:Min", "must hold a concrete subclass of Trainable named Min, but has none"),
    ],
)
def test_what_is_not_there_is_one_line(package: Path, trainable: str, message: str) -> None:
    with pytest.raises(registry.UnknownTrainableError, match=message):
        load_importable(trainable)
    spec = spec_from_mapping({**tuner.check("digits")["spec"], "trainable": trainable})
    [problem] = inspect(spec).problems
    assert problem.startswith("trainable: ") and message in problem


def test_a_file_that_belongs_to_a_package_is_told_its_name_there(package: Path) -> None:
    written = {**tuner.check("digits")["spec"], "trainable": f"{package / 'dense.py'}:Mine"}
    (line,) = inspect(spec_from_mapping(written)).problems
    assert line.endswith("; it belongs to a package: trainable: mypackage.models.dense:Mine")
