"""Storage, tracking and data that one node alone sees are told before a sweep on several begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.spec.sharing import SHARED_FOLDERS, on_nodes, shared_folders, sharing_problems

SHARED: dict[str, Any] = {"storage": "s3://bucket/sweeps", "tracking": {"uri": "https://mlflow.example.com"}}


def test_what_one_node_alone_sees_is_told_all_at_once_with_the_way_on() -> None:
    spec = make_spec(data="/home/me/faces.npz")
    storage, tracking, data = sharing_problems(spec, 3)
    assert storage == (
        "storage: must be shared by all 3 nodes: s3://BUCKET/…, gs://BUCKET/… or a network folder, but got none,"
        " which is ./sweeps"
    )
    assert tracking == (
        "tracking.uri: must be a server that all 3 nodes reach, such as https://mlflow.example.com, but got none,"
        " which is SQLite, a file of one machine"
    )
    assert data == (
        "data: must be on all 3 nodes: s3://BUCKET/…, gs://BUCKET/…, a network folder, or copied by file_mounts,"
        " but got '/home/me/faces.npz'; in the cluster file: file_mounts: {~/data/faces.npz: /home/me/faces.npz}"
    )


def test_a_single_node_may_keep_everything_to_itself() -> None:
    assert sharing_problems(make_spec(data="/home/me/faces.npz"), 1) == []


@pytest.mark.parametrize("data", [None, "digits", "mnist", "s3://bucket/faces.npz", "gs://bucket/faces.npz"])
def test_buckets_servers_and_built_in_data_are_shared(data: str | None) -> None:
    assert sharing_problems(make_spec(**SHARED, data=data), 100) == []


@pytest.mark.parametrize("uri", ["http://10.0.0.5:5000", "postgresql+psycopg2://u@db/mlflow", "databricks"])
def test_servers_of_every_kind_record(uri: str) -> None:
    assert sharing_problems(make_spec(storage="s3://b/s", tracking={"uri": uri}), 2) == []


@pytest.mark.parametrize("uri", ["sqlite:////mnt/efs/mlflow.db", "sqlite:///mlflow.db"])
def test_sqlite_is_a_file_of_one_machine_wherever_it_lies(uri: str) -> None:
    [problem] = sharing_problems(make_spec(storage="/mnt/efs/s", tracking={"uri": uri}), 2, folders=["/mnt/efs"])
    assert problem.startswith("tracking.uri: must be a server") and uri in problem


def test_a_network_folder_is_shared_and_its_neighbour_is_not() -> None:
    spec = make_spec(**{**SHARED, "storage": "/mnt/efs/sweeps"}, data="/mnt/efs/data/x.npz")
    assert sharing_problems(spec, 2, folders=["/mnt/efs"]) == []
    assert len(sharing_problems(spec, 2, folders=["/mnt/ef", "/mnt/efs/sweeps/deeper"])) == 2
    escaping = make_spec(**{**SHARED, "storage": "/mnt/efs/../tmp"})
    [problem] = sharing_problems(escaping, 2, folders=["/mnt/efs"])
    assert problem.endswith(f"export {SHARED_FOLDERS}=/mnt/efs/../tmp")


def test_file_mounts_carry_data_to_the_nodes_and_bring_no_storage_back() -> None:
    mounts = {"~/data": "/home/me/data", "/srv/x.npz": "/tmp/x.npz"}
    assert on_nodes("/home/me/data/faces/a.npz", mounts) == "~/data/faces/a.npz"
    assert on_nodes("/tmp/x.npz", mounts) == "/srv/x.npz" == on_nodes("/srv/x.npz", mounts)
    assert on_nodes("/home/me/data", mounts) == "~/data" and on_nodes("/home/me/data/../data/a", mounts) == "~/data/a"
    assert on_nodes("~/data/a.npz", {"~/data": "~/data"}) == "~/data/a.npz"
    assert on_nodes("/home/me/database.npz", mounts) is None
    spec = make_spec(**{**SHARED, "storage": "/home/me/data/sweeps"}, data="/home/me/data/a.npz")
    [problem] = sharing_problems(spec, 2, mounts=mounts)
    assert problem.startswith("storage: ")


def test_folders_are_found_in_the_environment_and_among_the_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    parts = [("/", "ext4"), ("/mnt/efs", "nfs4"), ("/mnt/bucket", "fuse.gcsfuse"), ("/scratch", "lustre")]
    found = [SimpleNamespace(mountpoint=where, fstype=kind) for where, kind in parts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)
    monkeypatch.setenv(SHARED_FOLDERS, "/data:relative:~/share")
    monkeypatch.setenv("HOME", "/home/me")
    assert shared_folders() == ["/data", "/home/me/share", "/mnt/efs", "/scratch"]
    assert sharing_problems(make_spec(**SHARED, data="~/share/x.npz"), 2, shared_folders()) == []
