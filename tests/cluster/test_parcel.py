"""What of a user's files travels with a sweep, what stays behind, and what is told of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kubernetes.making import spec
from trainables.importable import look_around
from tuner.base.errors import UsageError
from tuner.cluster.parcel import Parcel, names_in_code, parcel_of
from tuner.cluster.shipping import pack
from tuner.cluster.travelling import left_behind_warnings, opened_problems, package_problems, package_warnings
from tuner.spec import load_spec

PACKAGE = {
    "pyproject.toml": "[project]\nname='mine'\n",
    ".gitignore": "*.bin\n_version.py\nunused.py\n",
    "sweep.yaml": "",
    "images/cats/1.png": "1",
    "images/.env": "KEY=1",
    "base.keras": "weights",
    "src/parcelled/__init__.py": "",
    "src/parcelled/_version.py": "",
    "src/parcelled/unused.py": "",
    "src/parcelled/vocab.json": "{}",
    "src/parcelled/junk.bin": "",
    "src/parcelled/.env": "KEY=1",
    "src/parcelled/server.pem": "",
    "src/parcelled/id_rsa": "",
    "src/parcelled/.aws/credentials": "",
    "src/parcelled/credentials.py": "",
    "src/parcelled/deep/__init__.py": "",
    "src/parcelled/deep/dense.py": (
        "import keras\nimport helpers\nfrom .. import _version\n"
        "def build():\n    keras.models.load_model('base.keras')\nPLACE = './images/cats'\n"
    ),
    "src/helpers.py": "",
    "src/other.py": "",
}
SHIPPED = {
    "code/helpers.py",
    *(
        f"code/parcelled/{name}"
        for name in ("__init__.py", "_version.py", "credentials.py", "vocab.json", "deep/__init__.py", "deep/dense.py")
    ),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with a package in src/, and a working directory apart from it."""
    folder = (tmp_path / "project").resolve()
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    look_around("parcelled.deep.dense:Dense", folder)
    return folder


def of_package(project: Path, *include: str, **more: Any) -> Parcel:
    return parcel_of(spec(trainable="parcelled.deep.dense:Dense", **more), include, project)


def test_a_package_travels_whole_without_secrets_and_what_git_ignores(project: Path) -> None:
    parcel = of_package(project)
    assert set(parcel.files) == SHIPPED  # an ignored module is shipped if code imports it
    left = parcel.left_out
    for name in (".env", "server.pem", "id_rsa", ".aws/credentials"):
        assert left[f"parcelled/{name}"] == "its name is that of a secret"
    assert left["parcelled/junk.bin"] == left["parcelled/unused.py"] == "ignored by .gitignore"
    assert left["images/"] == left["base.keras"] == left["other.py"] == "not imported"
    assert "sweep.yaml" in left and "pyproject.toml" not in left
    assert parcel.trainable == "parcelled.deep.dense:Dense"
    told = list(parcel.told())
    assert told[0].startswith("ships 7 files, ") and "parcelled/vocab.json" in told[0]
    assert "base.keras" in told[1] and "--include PATH" in told[1]


def test_what_the_code_names_and_leaves_behind_is_warned_of(project: Path) -> None:
    parcel = of_package(project)
    assert names_in_code(parcel) == {"base.keras": "dense.py", "images/": "dense.py"}
    expected = "trainable: dense.py names base.keras, which stays here (not imported); take it along with --include"
    assert any(line.startswith(expected) for line in left_behind_warnings(parcel))
    assert left_behind_warnings(of_package(project, "images", "base.keras")) == []


def test_what_is_included_lies_beside_the_code_and_in_the_working_directory(project: Path, tmp_path: Path) -> None:
    parcel = of_package(project, "images", "base.keras", "src/parcelled/junk.bin")
    assert {"code/images/cats/1.png", "images/cats/1.png", "code/base.keras", "base.keras"} <= set(parcel.files)
    assert "code/parcelled/junk.bin" in parcel.files and not any(".env" in name for name in parcel.files)
    assert parcel.left_out["images/.env"] == "its name is that of a secret" and "images/" not in parcel.left_out
    (packed := tmp_path / "packed").mkdir()
    pack(spec(trainable="parcelled.deep.dense:Dense"), {}, packed, parcel)
    assert (packed / "project" / "images" / "cats" / "1.png").read_text() == "1"
    shipped = load_spec(packed / "project" / "sweep.yaml", is_shipped=True)
    assert shipped.trainable == "parcelled.deep.dense:Dense"


def test_wrong_includes_are_refused_together(project: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "far.csv").touch()
    (project / "tuner").mkdir()
    (project / "tuner" / "x.txt").touch()
    with pytest.raises(UsageError) as refused:
        of_package(project, "nothing", "far.csv", "src/parcelled/server.pem", "tuner")
    lines = str(refused.value).splitlines()
    assert lines[0] == "--include nothing: must be a file or a folder, but there is none"
    assert lines[1].startswith(f"--include far.csv: must lie below {project / 'src'} or {project}")
    assert "its name is that of a secret" in lines[2]
    assert lines[3].startswith("--include tuner/x.txt: must not begin with tuner")


def test_a_file_brings_what_it_imports_and_names_what_it_leaves(project: Path) -> None:
    (project / "model.py").write_text("import helper\n")
    (project / "helper.py").touch()
    made = spec(trainable=f"{project / 'model.py'}:Model")
    parcel = parcel_of(made, beside=project)
    assert set(parcel.files) == {"code/model.py", "code/helper.py"} and parcel.trainable == "code/model.py:Model"
    assert {"images/", "base.keras"} <= set(parcel.left_out)
    assert list(parcel_of(spec()).told()) == []  # nothing travels with a trainable of ours


def test_a_function_that_gives_the_data_travels_with_the_code(project: Path) -> None:
    for name in ("model.py", "numbers_of_mine.py", "helper.py"):
        (project / name).touch()
    (project / "numbers_of_mine.py").write_text("import helper\n")
    made = spec(trainable=f"{project / 'model.py'}:M", data=f"{project / 'numbers_of_mine.py'}:load")
    parcel = parcel_of(made, beside=project)
    assert set(parcel.files) == {"code/model.py", "code/numbers_of_mine.py", "code/helper.py"}
    assert parcel.shipped(made).data == "code/numbers_of_mine.py:load"


def test_of_an_installed_package_nothing_else_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    for name in ("installed/__init__.py", "installed/model.py", "other/__init__.py"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("import other\n")
    monkeypatch.syspath_prepend(site)
    parcel = parcel_of(spec(trainable="installed.model:M"))
    assert set(parcel.files) == {"code/installed/__init__.py", "code/installed/model.py"} and not parcel.left_out


def test_a_command_s_files_lie_where_its_words_name_them(project: Path, tmp_path: Path) -> None:
    (project / "scripts").mkdir()
    (project / "scripts" / "train.py").write_text("import utils\n")
    (project / "scripts" / "utils.py").touch()
    (project / "config.json").touch()
    command = ["python", "scripts/train.py", "--config", "config.json", "--rate", "{learning_rate}"]
    made = spec(trainable=f"command:{project / 'scripts' / 'train.py'}", command=command)
    parcel = parcel_of(made, beside=project)
    assert {"scripts/train.py", "scripts/utils.py", "config.json"} <= set(parcel.files)
    assert parcel.trainable == "command:scripts/train.py"
    (packed := tmp_path / "packed").mkdir()
    pack(made, {}, packed, parcel)
    assert load_spec(packed / "project" / "sweep.yaml", is_shipped=True).command == command


def test_files_that_were_opened_and_would_not_be_there_are_problems(project: Path, tmp_path: Path) -> None:
    (share := tmp_path / "share").mkdir()
    for path in (share / "a.csv", far := tmp_path / "far.csv"):
        path.touch()
    opened = [
        *(str(project / name) for name in ("images", "images/cats", "images/cats/1.png", "base.keras", "src")),
        *(str(project / "src" / "parcelled" / name) for name in ("vocab.json", ".env")),
        str(project),
        str(share / "a.csv"),
        str(far),
    ]
    made = spec(trainable="parcelled.deep.dense:Dense")
    lines = opened_problems(made, of_package(project), opened, [str(share)])
    what = "trainable: parcelled.deep.dense opens"
    assert lines[0].startswith(
        f"{what} images/, which would not be on the cluster; take it along with --include images"
    )
    assert lines[1].startswith(
        f"{what} base.keras, which would not be on the cluster; take it along with --include base"
    )
    secret = "src/parcelled/.env, which would not be on the cluster, as its name is that of a secret"
    assert lines[2].startswith(f"{what} {secret}")
    assert lines[3].startswith(f"{what} {far}, which would not be on the cluster; put it into a bucket")
    assert len(lines) == 4
    opened = [path for path in opened if path != str(far) and ".env" not in path]
    assert opened_problems(made, of_package(project, "images", "base.keras"), opened, [str(share)]) == []


def test_the_spec_s_own_data_are_judged_by_themselves(project: Path) -> None:
    made = spec(trainable="parcelled.deep.dense:Dense", data=str(project / "images"))
    assert opened_problems(made, of_package(project), [str(project / "images" / "cats" / "1.png")]) == []


def test_packages_that_nobody_installs_are_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.cluster.travelling.is_locked", lambda name: name == "keras")
    (project / "src" / "helpers.py").write_text("import sklearn\n")
    made = spec(trainable="parcelled.deep.dense:Dense")
    (line,) = package_warnings(made, "the image")
    assert line.startswith(
        "requirements: the trainable imports scikit-learn, which the image may lack: requirements: ["
    )
    assert package_warnings(made.model_copy(update={"requirements": ["scikit_learn==1.6.0"]}), "the image") == []


def test_a_requirement_does_not_replace_what_each_node_has() -> None:
    (line,) = package_problems(spec(requirements=["keras==2.0.0", "albumentations==1.4.18"]))
    assert line.startswith("requirements: keras must be 3.") and line.endswith("but got 2.0.0")


def test_links_are_followed_and_a_missing_file_is_none(tmp_path: Path) -> None:
    (real := tmp_path / "real").mkdir()
    (real / "data.txt").write_text("x")
    (tmp_path / "model.py").touch()
    os.symlink(real, tmp_path / "linked")
    parcel = parcel_of(spec(trainable=f"{tmp_path / 'model.py'}:M"), [str(tmp_path / "linked")], tmp_path)
    assert parcel.files["linked/data.txt"].read_text() == "x"
    assert parcel_of(spec(trainable=f"{tmp_path / 'none.py'}:M")).size_bytes == 0


def test_a_base_of_a_shipped_trainable_travels_and_is_named_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "base.keras").write_bytes(b"weights")
    text = "name: x\ntrainable: finetune-image\ndata: digits\nobjective: {metric: val_loss, mode: min}\n"
    text += "num_trials: 1\nepochs: {max: 1}\nspace: {base: ./base.keras, weights: none, learning_rate: 0.1}\n"
    (tmp_path / "sweep.yaml").write_text(text)
    loaded = load_spec(tmp_path / "sweep.yaml")
    assert loaded.space.fixed["base"] == str(tmp_path / "base.keras"), "beside the spec, wherever it is run"
    parcel = parcel_of(loaded)
    assert parcel.files == {"code/base-base.keras": tmp_path / "base.keras"} and not parcel.left_out
    shipped = parcel.shipped(loaded).space.fixed
    assert shipped == {"base": "code/base-base.keras", "weights": "none", "learning_rate": 0.1}
    assert not opened_problems(loaded, parcel, [str(tmp_path / "base.keras")], [])
