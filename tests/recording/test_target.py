from pathlib import Path

import pytest

from tuner.paths import StorageRoot
from tuner.recording.target import Target, without_credentials


def test_by_default_a_sweep_is_recorded_under_its_name_in_its_storage_root(tmp_path: Path) -> None:
    folder = StorageRoot(tmp_path).sweep("s")
    target = Target.of({"name": "s", "tracking": {"uri": None, "experiment": None}}, folder)
    assert target == Target(f"sqlite:///{tmp_path}/mlflow.db", "s", f"file://{tmp_path}/mlartifacts")


def test_a_server_chooses_its_own_artifacts(tmp_path: Path) -> None:
    folder = StorageRoot(tmp_path).sweep("s")
    spec = {"name": "s", "tracking": {"uri": "http://tracking:5000", "experiment": "e"}}
    assert Target.of(spec, folder) == Target("http://tracking:5000", "e", None)
    assert Target.of(spec, folder, "http://other").uri == "http://other"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("https://me:secret@host:5000/a", "https://host:5000/a"),
        ("postgresql://me:p@ss@host/db", "postgresql://host/db"),
        ("cannot reach 'https://token@host/x' now", "cannot reach 'https://host/x' now"),
        ("mysql://host/db?user=me&password=secret&ssl=1", "mysql://host/db?user=me&password=***&ssl=1"),
        ("sqlite:////data/a@b/mlflow.db", "sqlite:////data/a@b/mlflow.db"),
    ],
)
def test_credentials_are_never_written(text: str, public: str) -> None:
    assert without_credentials(text) == public
