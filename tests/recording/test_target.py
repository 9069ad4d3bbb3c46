from pathlib import Path

import pytest

from tuner.recording.target import Target
from tuner.storage import StorageRoot


def test_by_default_a_sweep_is_recorded_under_its_name_in_its_storage_root(tmp_path: Path) -> None:
    folder = StorageRoot(tmp_path).sweep("s")
    target = Target.of({"name": "s", "tracking": {"uri": None, "experiment": None}}, folder)
    assert target == Target(f"sqlite:///{tmp_path}/mlflow.db", "s", f"file://{tmp_path}/mlartifacts")


def test_a_server_chooses_its_own_artifacts(tmp_path: Path) -> None:
    folder = StorageRoot(tmp_path).sweep("s")
    spec = {"name": "s", "tracking": {"uri": "http://tracking:5000", "experiment": "e"}}
    assert Target.of(spec, folder) == Target("http://tracking:5000", "e", None)
    assert Target.of(spec, folder, "http://other").uri == "http://other"
    assert Target.of(spec, StorageRoot(tmp_path / "a?b").sweep("s")).uri == "http://tracking:5000"


def test_credentials_come_from_the_environment_for_their_address_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
    folder = StorageRoot(tmp_path).sweep("s")
    target = Target.of({"name": "s", "tracking": {"uri": "postgresql://host/db"}}, folder)
    assert (target.uri, target.public_uri) == ("postgresql://me:secret@host/db", "postgresql://host/db")
    assert Target.of({"name": "s", "tracking": {"uri": "postgresql://host/other"}}, folder).uri.endswith("//host/other")
