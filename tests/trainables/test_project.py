"""Where a project's own packages are imported from."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.project import holding, import_folders


def test_a_project_s_packages_are_in_src_or_its_root(tmp_path: Path) -> None:
    (tmp_path / "src" / "mine").mkdir(parents=True)
    (tmp_path / "flat").mkdir()
    (tmp_path / "configs" / "deep").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    start = tmp_path / "configs" / "deep"
    assert import_folders(start) == [start, tmp_path / "src", tmp_path]
    assert holding("mine.models", start) == tmp_path / "src"
    assert holding("flat", start) == tmp_path
    assert holding("none", start) is None


@pytest.mark.parametrize(
    "written",
    [
        '[tool.setuptools.packages.find]\nwhere = ["lib"]',
        '[tool.setuptools.package-dir]\n"" = "lib"',
        '[tool.hatch.build.targets.wheel]\npackages = ["lib/mine"]',
        '[[tool.poetry.packages]]\ninclude = "mine"\nfrom = "lib"',
        '[tool.pytest.ini_options]\npythonpath = ["lib"]',
    ],
)
def test_what_a_project_says_of_its_packages_counts(tmp_path: Path, written: str) -> None:
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(written)
    assert holding("mine", tmp_path) == tmp_path / "lib"


def test_a_broken_project_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[")
    (tmp_path / "mine.py").touch()
    assert holding("mine", tmp_path) == tmp_path
