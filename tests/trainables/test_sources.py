"""A trainable from its kept source: whatever its files say by now, what is imported is what was kept."""

from __future__ import annotations

import hashlib
import inspect
import pickle
import py_compile
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from trainables import registry
from trainables.sources import ChangedSourceError, Sources, imports_restored

FILES = {
    "mine.py": """
import helper
from layers.blocks import WIDTH
from trainables.contract import Trainable

class Mine(Trainable):
    loss = "mse"
    def load_data(self): return helper.SCALE
    def build_model(self, params):
        import later
        from spaced.deep import DEPTH
        return WIDTH, later.WORD, DEPTH
    def fail(self): raise ValueError("as it was kept")
""",
    "helper.py": "SCALE = 1\n",
    "later.py": "WORD = 'kept'\n",
    "layers/__init__.py": "",
    "layers/blocks.py": "from . import sizes\nWIDTH = sizes.WIDTH\n",
    "layers/sizes.py": "WIDTH = 8\n",
    "spaced/deep.py": "DEPTH = 3\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def kept(**changes: str) -> Sources:
    files = {**FILES, **{name.replace("__", "/") + ".py": text for name, text in changes.items()}}
    return Sources("mine.py", {name: text.encode() for name, text in files.items()})


def load(folder: Path, sources: Sources) -> Any:
    return registry.load_file(folder / "mine.py", "Mine", sources)()  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("helper.py", "SCALE = 100\n"),
        ("later.py", "WORD = 'edited'\n"),
        ("layers/sizes.py", "WIDTH = 9\n"),
        ("layers/blocks.py", "1 / 0\n"),
        ("spaced/deep.py", ""),
        ("mine.py", "class Renamed: pass\n"),
        ("mine.py", None),
        ("layers/sizes.py", None),
    ],
)
def test_edits_and_removals_change_nothing(tmp_path: Path, name: str, text: str | None) -> None:
    write(tmp_path, FILES)
    if text is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_text(text)
    found = load(tmp_path, kept())
    assert (found.load_data(), found.build_model(None)) == (1, (8, "kept", 3))


def test_an_edit_after_loading_does_not_reach_what_is_imported_later(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    found = load(tmp_path, kept())
    write(tmp_path, {"later.py": "WORD = 'edited'\n", "spaced/deep.py": "DEPTH = 4\n"})
    assert found.build_model(None) == (8, "kept", 3)


def test_two_versions_in_one_process_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    other = kept(helper="SCALE = 2\n", later="WORD = 'other'\n", layers__sizes="WIDTH = 16\n")
    for _ in range(2):
        first = load(tmp_path, kept())
        assert (first.load_data(), first.build_model(None)) == (1, (8, "kept", 3))
        second = load(tmp_path, other)
        assert (second.load_data(), second.build_model(None)) == (2, (16, "other", 3))


def test_a_module_of_the_same_name_beside_another_trainable_is_not_taken(tmp_path: Path) -> None:
    for folder, scale in (("one", 1), ("two", 2), ("one", 1)):
        (tmp_path / folder).mkdir(exist_ok=True)
        assert load(tmp_path / folder, kept(helper=f"SCALE = {scale}\n")).load_data() == scale


def test_files_are_at_their_original_place_and_tracebacks_show_the_kept_lines(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "mine.py": "\n" * 30 + "edited = 1\n" * 30})
    found = load(tmp_path, kept())
    assert inspect.getfile(type(found)) == sys.modules["helper"].__file__.replace("helper", "mine")  # type: ignore[union-attr]
    assert sys.modules["helper"].__file__ == str(tmp_path / "helper.py")
    with pytest.raises(ValueError) as raised:
        found.fail()
    lines = traceback.extract_tb(raised.value.__traceback__)
    assert lines[-1].line == 'def fail(self): raise ValueError("as it was kept")'
    assert "as it was kept" in inspect.getsource(type(found))  # which AutoGraph reads


def test_bytecode_of_an_edited_file_is_not_taken_and_none_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(tmp_path, {**FILES, "helper.py": "SCALE = 5\n"})
    py_compile.compile(str(tmp_path / "helper.py"))
    compiled = {path: path.read_bytes() for path in tmp_path.rglob("*.pyc")}
    assert len(compiled) == 1 and load(tmp_path, kept()).load_data() == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.pyc")} == compiled


def test_a_file_without_a_copy_is_taken_from_its_place_if_it_is_what_it_was(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    files = {name: text.encode() for name, text in FILES.items() if name != "later.py"}
    sources = Sources("mine.py", files, {"later.py": hashlib.sha256(FILES["later.py"].encode()).hexdigest()})
    assert load(tmp_path, sources).build_model(None) == (8, "kept", 3)
    del sys.modules["later"]
    (tmp_path / "later.py").write_text("WORD = 'edited'\n")
    with pytest.raises(ChangedSourceError, match=r"later\.py: was changed since the sweep began, and no copy"):
        load(tmp_path, sources).build_model(None)
    (tmp_path / "later.py").unlink()
    with pytest.raises(ChangedSourceError, match=r"later\.py: is gone since"):
        load(tmp_path, sources).build_model(None)


def test_the_trainables_own_name_hides_no_installed_module(tmp_path: Path) -> None:
    text = FILES["mine.py"].replace("import helper\n", "import msgspec, helper\n")
    sources = Sources("msgspec.py", {**kept().files, "msgspec.py": text.encode()})
    found = registry.load_file(tmp_path / "msgspec.py", "Mine", sources)
    assert found.__module__.startswith("tuner_user_msgspec_") and hasattr(sys.modules["msgspec"], "Struct")


def test_a_caller_imports_as_before(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    sys.path.append(str(tmp_path))
    import helper  # type: ignore[import-not-found]

    with imports_restored():
        assert load(tmp_path, kept(helper="SCALE = 7\n")).load_data() == 7
        assert sys.modules["helper"] is not helper
    assert sys.modules["helper"] is helper and "later" not in sys.modules
    with imports_restored():
        assert load(tmp_path, kept(later="WORD = 'of then'\n")).build_model(None) == (8, "of then", 3)
    import later  # type: ignore[import-not-found]

    assert later.WORD == "kept" and sys.modules["helper"] is helper
    with imports_restored():  # from what is cached of it
        assert load(tmp_path, kept(later="WORD = 'of then'\n")).build_model(None) == (8, "of then", 3)


def test_a_caller_has_nothing_of_what_lies_beside_todays_code(tmp_path: Path) -> None:
    for name, scale in (("one", "SCALE = 7\n"), ("two", "SCALE = 8\n")):
        (tmp_path / name).mkdir()
        write(tmp_path / name, {**FILES, "helper.py": scale})
        with imports_restored():
            assert registry.load_file(tmp_path / name / "mine.py", "Mine")().load_data() == int(scale[-2])  # type: ignore[abstract]
        assert "helper" not in sys.modules and str(tmp_path / name) not in sys.path


def test_sources_travel_to_workers_and_show_no_code() -> None:
    sources = kept()
    assert pickle.loads(pickle.dumps(sources)) == sources and pickle.loads(pickle.dumps(sources)).version == (
        sources.version
    )
    assert "SCALE" not in repr(sources) and kept(helper="SCALE = 2").version != sources.version


def test_a_shipped_trainable_is_loaded_as_it_was_kept() -> None:
    text = registry.module_file("digits").read_text()
    older = Sources("digits.py", {"digits.py": text.replace("units: int = Field(64", "units: int = Field(16").encode()})
    assert registry.load("digits", older).Params().units == 16  # type: ignore[attr-defined]
    assert registry.load("digits").Params().units == 64  # type: ignore[attr-defined]
