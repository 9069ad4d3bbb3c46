"""What a cluster file says of shared files: how many nodes, which folders are mounted, which files are copied."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.backend import growth, nodes
from tuner.backend.growth import NODE_TYPES, slots_at_most
from tuner.base.errors import UsageError
from tuner.cluster import shared
from tuner.cluster.shared import driver_environment, max_nodes, mounted_folders, node_types, problems
from tuner.engine.slots import Slot
from tuner.spec.sharing import SHARED_FOLDERS

CLUSTER: dict[str, Any] = {
    "max_workers": 8,
    "provider": {"type": "aws"},
    "head_node_type": "head",
    "available_node_types": {"head": {}, "gpu": {"max_workers": 3}},
    "setup_commands": ["sudo mkdir -p /mnt/efs && sudo mount -t nfs4 -o nfsvers=4.1 fs-1.example:/ /mnt/efs; ls /srv"],
    "file_mounts": {"/srv/data": "/home/me/data"},
}


@pytest.mark.parametrize(
    ("changes", "nodes"),
    [
        ({}, 4),
        ({"max_workers": 2}, 3),
        ({"available_node_types": {"head": {}, "gpu": {}}}, 9),
        ({"available_node_types": {"head": {"max_workers": 1}, "gpu": {"max_workers": 0}}}, 2),
        ({"max_workers": 0}, 1),
        ({"provider": {"type": "local", "head_ip": "h", "worker_ips": ["a", "b"]}}, 3),
    ],
)
def test_a_cluster_has_its_head_and_as_many_workers_as_its_file_allows(changes: dict[str, Any], nodes: int) -> None:
    assert max_nodes({**CLUSTER, **changes}) == nodes


def test_a_folder_that_a_command_mounts_is_shared() -> None:
    assert mounted_folders(CLUSTER) == ["/mnt/efs"]
    spec = make_spec(storage="/mnt/efs/sweeps", tracking__uri="http://mlflow:5000", data="/home/me/data/x.npz")
    assert problems(spec, CLUSTER) == []
    [storage] = problems(spec, {**CLUSTER, "setup_commands": ["ls /mnt/efs"]})
    assert storage.startswith("storage: must be shared by all 4 nodes")
    assert problems(make_spec(), {**CLUSTER, "max_workers": 0}) == []


def test_this_machine_s_network_folders_are_its_neighbours_and_no_cloud_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "shared_folders", lambda: ["/nfs"])
    monkeypatch.setattr(shared, "named_folders", lambda: [])
    spec = make_spec(storage="/nfs/sweeps", tracking__uri="http://mlflow:5000")
    near = {"provider": {"type": "local", "head_ip": "h", "worker_ips": ["a", "b"]}}
    assert problems(spec, near) == [] and len(problems(spec, CLUSTER)) == 1


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("sudo mount /dev/nvme1n1 /data", []),
        ("mount.nfs4 fs:/ /mnt/a && mount -t lustre fs@tcp:/x /mnt/b", ["/mnt/a", "/mnt/b"]),
        ("sudo mount -t efs fs-12345678:/ /mnt/efs || true", ["/mnt/efs"]),
        ("echo 'mount /a", []),
    ],
)
def test_disks_of_one_machine_are_not_shared(command: str, folders: list[str]) -> None:
    assert mounted_folders({"setup_commands": [command]}) == folders


def test_the_driver_on_the_head_is_told_what_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SHARED_FOLDERS, raising=False)
    assert driver_environment(CLUSTER)[SHARED_FOLDERS].endswith("/mnt/efs:/srv/data")
    monkeypatch.setenv(SHARED_FOLDERS, "/mnt/nas")
    assert driver_environment({})[SHARED_FOLDERS].startswith("/mnt/nas")


def test_the_driver_waits_for_machines_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their file says how many there are, not how large, and nothing else tells that they will join."""
    local = {"provider": {"type": "local", "head_ip": "10.0.0.1", "worker_ips": ["10.0.0.2", "10.0.0.3"]}}
    monkeypatch.setattr(nodes, "cluster_nodes", lambda: [{"CPU": 0.0}])
    monkeypatch.setattr(growth, "has_autoscaler", lambda: False)
    monkeypatch.delenv(NODE_TYPES, raising=False)
    with pytest.raises(UsageError, match="no node has as many"):
        growth.check_room(Slot(8, 2))
    for name, value in node_types(local).items():
        monkeypatch.setenv(name, value)
    growth.check_room(Slot(8, 2))
    assert node_types({"provider": {**local["provider"], "worker_ips": []}}) == {}


def test_the_driver_is_told_what_nodes_may_join(monkeypatch: pytest.MonkeyPatch) -> None:
    types = {"head": {"resources": {"CPU": 0}}, "gpu": {"resources": {"CPU": 8, "GPU": 2}, "max_workers": 3}}
    monkeypatch.setenv(NODE_TYPES, driver_environment({**CLUSTER, "available_node_types": types})[NODE_TYPES])
    assert slots_at_most(Slot(1, 0.5)) == 12 and slots_at_most(Slot(1, 4)) == 0
    assert NODE_TYPES not in driver_environment(CLUSTER), "a type that does not say its size may fit"
    types["gpu"] = {"resources": {"GPU": 1}}
    assert NODE_TYPES not in driver_environment({**CLUSTER, "available_node_types": types}), "Ray fills in its CPUs"
