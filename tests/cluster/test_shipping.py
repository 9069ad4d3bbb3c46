"""What a launch takes along: the code that is needed, a spec that is the same everywhere, secrets apart."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from tuner.base.errors import UsageError
from tuner.cluster.check import judge
from tuner.cluster.shipping import pack
from tuner.inspection.provenance.beside import imported_beside
from tuner.spec import SweepSpec, load_spec

ROOT = Path(__file__).parents[2]
SPEC = """
name: mine
trainable: ./model.py:Model
objective: {metric: val_loss, mode: min}
num_trials: 3
epochs: {max: 2}
space: {learning_rate: {low: 0.001, high: 0.1}}
storage: s3://bucket/sweeps
tracking: {uri: "http://tracking:5000"}
"""


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A folder with a spec, a model, what that imports, and what it does not."""
    files = {
        "sweep.yaml": SPEC,
        "model.py": "import json\nimport keras\nfrom layers import block\ndef later():\n    import late.deep.module\n",
        "layers.py": "from shared import sizes\n",
        "shared/__init__.py": "",
        "shared/sizes.json": "{}",
        "late/deep/module.py": "import layers, model",
        "tuner.py": "",
        "json.py": "",
        "notes.py": "",
        "data.npz": "",
        "shared/__pycache__/old.pyc": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def pack_into(folder: Path, spec: SweepSpec) -> Path:
    folder.mkdir()
    pack(spec, {"MLFLOW_TRACKING_PASSWORD": "canary"}, folder)
    return folder


def test_the_imported_files_beside_a_trainable_come_along(beside: Path) -> None:
    names = {str(path.relative_to(beside)) for path in imported_beside(beside / "model.py")}
    needed = {"model.py", "layers.py", "shared/__init__.py", "shared/sizes.json", "late/deep/module.py"}
    assert names == needed


def test_all_of_a_package_comes_along_also_behind_links_and_what_git_ignores(beside: Path, tmp_path: Path) -> None:
    """Ray leaves out of a working directory what a .gitignore in it names."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "blocks.py").write_text("import notes\n")
    (beside / "shared" / "linked").symlink_to(elsewhere)
    (beside / "shared" / "twice").symlink_to(elsewhere)
    (beside / "shared" / "back").symlink_to(beside / "shared")
    (beside / "shared" / ".gitignore").write_text("sizes.json\n")
    packed = pack_into(tmp_path / "packed", load_spec(beside / "sweep.yaml")) / "project" / "code"
    names = {str(path.relative_to(packed)) for path in packed.rglob("*") if path.is_file()}
    assert names >= {"shared/sizes.json", "shared/linked/blocks.py", "shared/twice/blocks.py", "notes.py"}
    assert not any(name.startswith("shared/back") or name.endswith(".gitignore") for name in names)


def test_code_that_python_cannot_read_comes_along_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def (:")
    assert imported_beside(tmp_path / "model.py") == {tmp_path / "model.py"}


def test_a_shipped_sweep_names_its_trainable_alike_wherever_it_lies(beside: Path, tmp_path: Path) -> None:
    spec = load_spec(beside / "sweep.yaml")
    assert spec.trainable == f"{beside / 'model.py'}:Model"
    found = []
    for place in ("one", "two"):
        packed = pack_into(tmp_path / place, spec)
        found.append(load_spec(packed / "project" / "sweep.yaml", is_shipped=True))
        assert (packed / "project" / "code" / "layers.py").is_file()
        assert {"tuner", "trainables", "code", "sweep.yaml"} == {path.name for path in (packed / "project").iterdir()}
    assert found[0] == found[1] == spec.model_copy(update={"trainable": "code/model.py:Model"})


def test_secrets_lie_in_a_file_for_their_owner_alone(beside: Path, tmp_path: Path) -> None:
    packed = pack_into(tmp_path / "packed", load_spec(beside / "sweep.yaml"))
    holding = [path for path in packed.rglob("*") if path.is_file() and b"canary" in path.read_bytes()]
    assert holding == [packed / "environment"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert json.loads(holding[0].read_text()) == {"MLFLOW_TRACKING_PASSWORD": "canary"}


def test_too_much_code_is_refused_with_its_largest_file(
    beside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.cluster.shipping.MAX_CODE_BYTES", 2**20)
    (beside / "shared" / "weights.bin").write_bytes(bytes(2 * 2**20))
    with pytest.raises(UsageError, match=r"must be smaller than 1 MiB, but got 2 MiB \(the largest: weights.bin\)"):
        pack_into(tmp_path / "packed", load_spec(beside / "sweep.yaml"))


@pytest.mark.slow
def test_too_much_code_is_told_before_a_machine_is_started(beside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.cluster.shipping.MAX_CODE_BYTES", 2**20)
    (beside / "shared" / "weights.bin").write_bytes(bytes(2 * 2**20))
    with pytest.raises(UsageError, match=r"model.py: it and the files beside it.* \(the largest: weights.bin\)"):
        judge(beside / "sweep.yaml", [], None, None, ROOT / "cluster.yaml")


@pytest.mark.slow(15)
def test_what_a_package_opens_here_and_would_lack_there_is_told_before_a_machine_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading reads a folder, building reads a file; both by paths that begin at the spec."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("TUNER_SKIP_PROBE")
    files = {
        "pyproject.toml": "",
        "sweep.yaml": SPEC.replace("./model.py:Model", "opening.pictures:Pictures"),
        "images/one.txt": "1",
        "base.keras": "weights",
        "src/opening/__init__.py": "",
        "src/opening/names.json": "[]",
        "src/opening/pictures.py": (
            "import os\nfrom importlib import resources\nfrom trainables.digits import Digits\n"
            "class Pictures(Digits):\n"
            "    def load_data(self):\n"
            "        for name in os.listdir('images'):\n            open(f'images/{name}').close()\n"
            "        resources.files('opening').joinpath('names.json').read_text()\n"
            "        return super().load_data()\n"
            "    def build_model(self, params):\n"
            "        open('base.keras', 'rb').close()\n        return super().build_model(params)\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError) as refused:
        judge(tmp_path / "sweep.yaml", [], None, None, ROOT / "cluster.yaml")
    opens = f"{tmp_path / 'sweep.yaml'}: trainable: opening.pictures opens"
    lines = [line for line in str(refused.value).splitlines() if line.startswith(opens)]
    assert len(lines) == 2, str(refused.value)
    assert lines[0].startswith(f"{opens} images/, which would not be on the cluster; take it along with --include")
    assert lines[1].startswith(f"{opens} base.keras, which would not be on the cluster; take it along with --include")
