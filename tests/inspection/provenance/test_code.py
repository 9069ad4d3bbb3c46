"""What belongs to a trainable's code, what of it is kept, and what is not and why."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy
import pytest

from tests.simulation import make_spec
from tuner.inspection.provenance import code as rules
from tuner.inspection.provenance.beside import imported_beside
from tuner.inspection.provenance.code import collect, extended, is_sound


def write(folder: Path, **files: str) -> str:
    """Files by name, `pkg__mod` for pkg/mod.py; the trainable's name in a spec."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"{folder / 'mine.py'}:Mine"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import helper", {"helper.py"}),
        ("def later():\n    from helper import x", {"helper.py"}),
        ("from .helper import x", {"helper.py"}),
        ("from . import helper", {"helper.py"}),
        ("import importlib\nimportlib.import_module('helper')", {"helper.py"}),
        ("from importlib import import_module\nimport_module(name='helper')", {"helper.py"}),
        ("__import__('helper')", {"helper.py"}),
        ("import importlib\nimportlib.import_module('.helper', 'pkg')", {"helper.py"}),
        ("try:\n    import absent\nexcept ImportError:\n    import second", {"second.py", "helper.py"}),
        ("import pkg.blocks", {"pkg/__init__.py", "pkg/blocks.py", "second.py", "helper.py"}),
        ("from spaced.deep import x", {"spaced/deep.py"}),
        ("import json, numpy, tuner", set()),
        ("name = 'helper'\n__import__(name)", set()),
        ("__import__('/etc')\n__import__('.')\n__import__('../code')\n__import__('a\\0b')\n__import__(3)", set()),
        ("import helper\nx = '\\d'", {"helper.py"}),
        ("import helper\nx = (\n", set()),
    ],
)
def test_what_a_file_imports_from_beside_it_belongs_to_it(tmp_path: Path, text: str, found: set[str]) -> None:
    files = {"second": "import helper", "pkg__blocks": "from . import data\nimport second", "data__big": ""}
    write(tmp_path, mine=text, helper="", unused="", spaced__deep="", json="", **files)
    (tmp_path / "pkg" / "__init__.py").touch()
    names = {path.relative_to(tmp_path).as_posix() for path in imported_beside(tmp_path / "mine.py")}
    assert names == {"mine.py", *found}


def test_digests_and_versions_of_what_is_used(tmp_path: Path) -> None:
    trainable = write(
        tmp_path, mine="import numpy as np, helper, nothing_like_it\nfrom sklearn import svm", helper="x = 1\n"
    )
    code = collect(trainable)
    assert code is not None and code.sources.files["helper.py"] == b"x = 1\n"
    assert code.manifest["main"] == "mine.py" and list(code.manifest["files"]) == ["mine.py", "helper.py"]
    assert code.manifest["files"]["helper.py"] == {"size_bytes": 6, "sha256": hashlib.sha256(b"x = 1\n").hexdigest()}
    assert code.manifest["packages"]["numpy"] == numpy.__version__ and "scikit-learn" in code.manifest["packages"]
    assert is_sound(code.manifest) and collect(trainable) == code
    (tmp_path / "helper.py").write_text("x = 1 \n")
    again = collect(trainable)
    assert again is not None and again.manifest["digest"] != code.manifest["digest"]


@pytest.mark.parametrize(
    "secret",
    [
        'API_KEY = "abcdefgh1234"',
        "config = {'db_password': 'correct-horse'}",
        'os.environ["HF_TOKEN"] = "abcdefgh1234"',
        'os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")',
        "url = 'postgresql://anna:battery@db/x'",
        "# key: AKIAABCDEFGHIJKLMNOP",
        'KEY = """-----BEGIN RSA PRIVATE KEY-----"""',
        "client = login('hf_" + "a1" * 17 + "')",
        "x = 'of-the-environment'",
    ],
)
def test_of_a_file_that_holds_a_secret_there_is_no_copy(
    tmp_path: Path, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", "of-the-environment")
    code = collect(write(tmp_path, mine="import helper\n", helper=f"import os\n{secret}\n"))
    assert code is not None and set(code.sources.files) == {"mine.py"}
    assert code.left_out == {"helper.py": "may hold a secret"} and is_sound(code.manifest)
    text = (tmp_path / "helper.py").read_bytes()
    assert code.sources.digests == {"helper.py": hashlib.sha256(text).hexdigest()}


@pytest.mark.parametrize(
    "text",
    [
        'eos_token = "<|endoftext|>"',
        'token = os.environ["HF_TOKEN"]',
        'VARIABLE_OF_THE_TOKEN = "MY_API_KEY"',
        "url = f'postgresql://{user}:{password}@db/x'",
        "# pip install git+https://git@github.com/a/b",
        'tokenizer = "bert-base-uncased"',
        "def skip_connection_with_a_name_that_is_very_long_indeed(): ...",
        'password = "********"',
    ],
)
def test_what_only_looks_like_one_is_kept(tmp_path: Path, text: str) -> None:
    code = collect(write(tmp_path, mine=text))
    assert code is not None and not code.left_out


def test_of_files_that_are_not_python_or_of_secrets_there_are_digests_alone(tmp_path: Path) -> None:
    trainable = write(tmp_path, mine="import pkg", pkg__a="")
    for name in (".env", "vocabulary.json", "server.pem", "credentials.py", "__init__.py"):
        (tmp_path / "pkg" / name).write_text("abc")
    (tmp_path / "pkg" / ".git").mkdir()
    (tmp_path / "pkg" / ".git" / "HEAD").write_text("abc")
    code = collect(trainable)
    assert code is not None
    assert {name: file.get("left_out") for name, file in code.manifest["files"].items()} == {
        "mine.py": None,
        "pkg/__init__.py": None,
        "pkg/a.py": None,
        "pkg/credentials.py": "may hold a secret",
        "pkg/.env": "may hold a secret",
        "pkg/server.pem": "may hold a secret",
        "pkg/vocabulary.json": "not Python",
    }


def test_copies_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FILES", 4)
    monkeypatch.setattr(rules, "TOTAL_BYTES", 1000)
    many = {f"pkg__m{number}": f"x = {number}" for number in range(5)}
    trainable = write(tmp_path, mine="import pkg, large", large=f"# {'x' * (1 << 20)}", **many)
    (tmp_path / "pkg" / "__init__.py").write_text("#" * 990)
    code = collect(trainable)
    assert code is not None and is_sound(code.manifest)
    assert code.left_out == {"large.py": "larger than 1 MiB", "pkg/__init__.py": "beyond 0 MiB in all"}
    assert code.manifest["more"]["files"] == 4
    (tmp_path / "pkg" / "m4.py").write_text("x = 5")
    again = collect(trainable)
    assert again is not None and again.manifest["digest"] != code.manifest["digest"]


def test_modules_that_are_installed_are_not_those_beside(tmp_path: Path) -> None:
    code = collect(write(tmp_path, mine="import msgspec, helper", msgspec="", helper=""))
    assert code is not None and set(code.sources.files) == {"mine.py", "helper.py"}


def test_files_that_were_seen_to_be_imported_come_to_it(tmp_path: Path) -> None:
    trainable = write(tmp_path, mine="__import__('hel' + 'per')", helper="x = 1")
    code = collect(trainable)
    assert code is not None and set(code.sources.files) == {"mine.py"}
    (tmp_path / "mine.py").write_text("edited = True")
    more = extended(code, trainable, ["helper.py", "mine.py", "gone.py", "../other.py"])
    assert more.sources.files == {**code.sources.files, "helper.py": b"x = 1"} and is_sound(more.manifest)
    assert extended(code, trainable, ["mine.py"]) is code


def test_shipped_trainables_and_what_is_not_there() -> None:
    code = collect("mnist-dense")
    assert code is not None and list(code.sources.files) == ["mnist_dense.py"]
    assert collect("mnist-dens") is None and collect("/nowhere/mine.py:Mine") is None


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"digest": "../../etc/pa"},
        {"main": "other.py"},
        {"files": {"../mine.py": {"sha256": "a"}}},
        {"files": {"mine.py": {"sha256": 3}}},
        {"files": ["mine.py"]},
        {"packages": None},
        {"more": {"files": 3, "sha256": "b"}},
    ],
)
def test_what_a_journal_says_of_code_is_held_against_itself(change: dict[str, object]) -> None:
    code = collect(make_spec().trainable)
    assert code is not None and is_sound(code.manifest)
    assert not is_sound({**code.manifest, **change})
