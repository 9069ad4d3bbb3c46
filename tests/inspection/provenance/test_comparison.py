"""What differs, in words: short, harmless to a terminal, and without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tuner.inspection.provenance.code import collect
from tuner.inspection.provenance.comparison import (
    DIFF_CHARS,
    DIFF_LINES,
    Today,
    compare_code,
    data_changes,
    version_changes,
)

MINE = "import helper\nWIDTH = 4\n"


def compared(tmp_path: Path, text: str | None, helper: str | None = "SCALE = 1\n", **more: str) -> Today:
    """The comparison after mine.py and helper.py were edited so; None removes one."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text("SCALE = 1\n")
    trainable = f"{tmp_path / 'mine.py'}:Mine"
    kept = collect(trainable)
    assert kept is not None
    for name, content in {"mine.py": text, "helper.py": helper, **more}.items():
        (tmp_path / name).unlink(missing_ok=True)
        if content is not None:
            (tmp_path / name).write_text(content)
    return compare_code(kept.manifest, collect(trainable, kept.manifest["files"]), kept.sources)


@pytest.mark.parametrize(("edited", "is_program"), [("run.sh", True), ("words.txt", False)])
def test_a_commands_file_is_program_text_in_any_language(tmp_path: Path, edited: str, is_program: bool) -> None:
    (tmp_path / "run.sh").write_text("cat words.txt")
    (tmp_path / "words.txt").write_text("a b")
    trainable = f"command:{tmp_path / 'run.sh'}"
    kept = collect(trainable)
    assert kept is not None
    before = {**kept.manifest, "files": {**kept.manifest["files"], "words.txt": {"size_bytes": 1, "sha256": "0"}}}
    (tmp_path / edited).write_text("other")
    found = compare_code(before, collect(trainable, before["files"]), kept.sources)
    assert found and found.is_program == is_program


def test_nothing_differs(tmp_path: Path) -> None:
    found = compared(tmp_path, MINE)
    assert not found and found == Today()


@pytest.mark.parametrize(
    ("text", "helper", "what", "diff"),
    [
        (MINE.replace("4", "8"), "SCALE = 1\n", "mine.py is changed", ["-WIDTH = 4", "+WIDTH = 8"]),
        (MINE, "SCALE = 100\n", "helper.py is changed", ["-SCALE = 1", "+SCALE = 100"]),
        (f"{MINE}\n", "SCALE = 1\n", "mine.py is changed", ["+"]),
        (MINE.replace("\n", "\r\n"), "SCALE = 1\n", "mine.py is changed", ["mine.py: only its line ends differ"]),
        (MINE, None, "helper.py is gone", []),
        (None, "SCALE = 1\n", "mine.py is gone", []),
        (None, None, "helper.py, mine.py are gone", []),
        (None, "SCALE = 2\n", "mine.py is gone", ["+SCALE = 2"]),
    ],
)
def test_edits_are_told(tmp_path: Path, text: str | None, helper: str | None, what: str, diff: list[str]) -> None:
    found = compared(tmp_path, text, helper)
    assert found and found.what == what and found.is_gone == (text is None) and not found.lost
    assert set(diff) <= set(found.diff)


def test_new_files_are_told(tmp_path: Path) -> None:
    found = compared(tmp_path, f"{MINE}import other\n", **{"other.py": ""})
    assert found.what == "mine.py is changed; other.py is new"


def test_a_diff_is_short_and_steers_no_terminal(tmp_path: Path) -> None:
    long = "".join(f"# \x1b[2J{'x' * 500} {number}\n" for number in range(100))
    found = compared(tmp_path, long)
    assert len(found.diff) == DIFF_LINES + 1 and found.diff[-1].endswith("more lines")
    assert all(len(line) <= DIFF_CHARS and line.isprintable() for line in found.diff)
    assert any(r"\x1b[2J" in line for line in found.diff)


def test_a_diff_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = compared(tmp_path, f"{MINE}API_KEY = 'abcdefgh1234'\n")
    assert found.what == "mine.py is changed" and found.diff == []
    monkeypatch.setenv("SOME_TOKEN", "of-the-environment")
    assert "of-the-environment" not in "".join(compared(tmp_path, "x = 'of-the-environment'").diff)


def test_what_was_not_kept_is_lost_when_it_is_changed(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    (tmp_path / "pkg" / "words.txt").write_text("a")
    (tmp_path / "mine.py").write_text("import pkg\n")
    trainable = f"{tmp_path / 'mine.py'}:Mine"
    kept = collect(trainable)
    assert kept is not None
    (tmp_path / "mine.py").unlink()
    assert compare_code(kept.manifest, collect(trainable, kept.manifest["files"])).lost == []
    (tmp_path / "pkg" / "words.txt").write_text("b")
    assert compare_code(kept.manifest, collect(trainable, kept.manifest["files"])).lost == ["pkg/words.txt"]


def test_versions() -> None:
    kept = {"keras": "3.14.0", "python": "3.11.7", "gone": "1"}
    assert version_changes(kept, {"keras": "3.15.1", "python": "3.11.7", "new": "2"}) == (
        "gone 1 -> none, keras 3.14.0 -> 3.15.1"
    )
    assert version_changes({}, {"keras": "3.15.1"}) == ""


X: dict[str, Any] = {"shape": [40, 3], "dtype": "float32", "blake2b": "a", "whole": True}
FILE: dict[str, Any] = {"kind": "file", "size_bytes": 9, "mtime": 1.0, "sha256": "a", "whole": True}


@pytest.mark.parametrize(
    ("arrays", "source", "changes", "told"),
    [
        ({}, {}, [], []),
        ({"blake2b": "b"}, {}, ["train.x has other values"], []),
        ({"shape": [41, 3]}, {}, ["train.x has the shape (41, 3), but had (40, 3)"], []),
        ({"dtype": "int8"}, {}, ["train.x has the type int8, but had float32"], []),
        ({}, {"sha256": "b"}, [], []),  # written anew, with the same arrays in it
        ({}, {"mtime": 2.0}, [], []),
        ({"whole": False}, {"sha256": "b"}, ["the file's content differs, at the same size"], []),
        ({"whole": False}, {"mtime": 2.0}, [], []),
        (
            {"whole": False},
            {"mtime": 2.0, "whole": False},
            [],
            ["the file was written or copied since; its size and what was read of it are the same"],
        ),
    ],
)
def test_changed_data(arrays: dict[str, Any], source: dict[str, Any], changes: list[str], told: list[str]) -> None:
    before = {"source": FILE, "arrays": {"train.x": {**X, "whole": arrays.get("whole", True)}}}
    today = {"source": {**FILE, **source}, "arrays": {"train.x": {**X, **arrays}}}
    assert data_changes(before, today) == (changes, told)


def test_arrays_that_come_and_go_and_data_sets() -> None:
    stream = {"element_spec": "TensorSpec(3)", "whole": False}
    before = {"arrays": {"train.x": X, "test": stream}}
    assert data_changes(before, {"arrays": {"train.x": X, "validation.x": X}})[0] == [
        "test is gone",
        "validation.x is new",
    ]
    other = {**stream, "element_spec": "TensorSpec(4)"}
    assert data_changes(before, {"arrays": {"train.x": X, "test": other}})[0] == [
        "test has the elements TensorSpec(4), but had TensorSpec(3)"
    ]


def test_a_file_that_a_parameter_names_is_compared_though_the_data_are_the_same() -> None:
    before, today = ({"arrays": {"train.x": X}, "described": {"files": {"base": {"sha256": n}}}} for n in "ab")
    assert data_changes(before, today) == (["base is another file"], [])
    assert data_changes(before, before) == ([], [])
    assert data_changes(before, {"arrays": {"train.x": X}}) == ([], []), "an older journal knows none"
