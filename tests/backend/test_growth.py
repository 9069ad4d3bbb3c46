"""Clusters that grow and shrink: what is asked for, and sweeps on real ones, one with Ray's own autoscaler."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.backend.clusters import STORE_BYTES, Run, cluster_of
from tests.servers import free_port
from tuner.backend import growth, nodes
from tuner.backend.growth import NODE_TYPES, slots_at_most, slots_to_ask
from tuner.base.errors import UsageError
from tuner.engine.slots import Slot
from tuner.review.verification import verify_sweep
from tuner.sweep import events as ev

COUNTS = st.integers(0, 200)


@given(COUNTS, COUNTS, st.none() | COUNTS)
def test_no_more_is_asked_for_than_can_be_used_or_can_be_had(slots: int, wanted: int, at_most: int | None) -> None:
    asked = slots_to_ask(slots, wanted, at_most)
    assert asked >= 0 and (not asked or slots + asked <= min(wanted, wanted if at_most is None else at_most))
    if slots < wanted and at_most is None:
        assert asked > 0, "it would never grow"


def test_at_least_eight_are_asked_for_and_a_larger_cluster_may_double() -> None:
    assert [slots_to_ask(slots, 1000, None) for slots in (0, 3, 20)] == [8, 8, 20]


def test_the_environment_says_what_nodes_may_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NODE_TYPES, raising=False)
    assert slots_at_most(Slot(1, 1)) is None
    monkeypatch.setenv(NODE_TYPES, '[{"CPU": 8, "GPU": 2, "nodes": 3}, {"CPU": 64, "nodes": 10}]')
    assert slots_at_most(Slot(1, 1)) == 6 and slots_at_most(Slot(1, 4)) == 0 and slots_at_most(Slot(64, 0)) == 10


@pytest.mark.parametrize("written", ["{", "7", '[{"CPU": 8}]', '["x"]', '[{"CPU": "many", "nodes": 1}]'])
def test_what_is_no_list_of_nodes_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv(NODE_TYPES, written)
    with pytest.raises(UsageError, match=r"TUNER_NODE_TYPES must be a list such as \[\{.*but got"):
        slots_at_most(Slot(1, 0))


@pytest.mark.parametrize(("is_looked_after", "types"), [(False, None), (True, '[{"CPU": 1, "nodes": 9}]')])
def test_what_will_never_fit_is_refused(
    monkeypatch: pytest.MonkeyPatch, is_looked_after: bool, types: str | None
) -> None:
    monkeypatch.setattr(nodes, "cluster_nodes", lambda: [{"CPU": 0.0}])
    monkeypatch.setattr(growth, "has_autoscaler", lambda: is_looked_after)
    monkeypatch.setenv(NODE_TYPES, types or "")
    with pytest.raises(UsageError, match="a trial takes 2 CPUs and 1 GPUs, but no node has as many"):
        growth.check_room(Slot(2, 1))
    monkeypatch.setattr(growth, "has_autoscaler", lambda: True)
    monkeypatch.setenv(NODE_TYPES, "")
    growth.check_room(Slot(2, 1))


# Real clusters


@pytest.fixture
def patiently() -> Iterator[Any]:
    """Runs something beside the sweep; what it raised is raised in the end."""
    raised: list[BaseException] = []
    threads: list[threading.Thread] = []

    def start(run: Run, target: Any) -> None:
        def guarded() -> None:
            try:
                target()
            except BaseException as error:
                raised.append(error)
                run.hold(0, 0)
                run.coordinator.stop("the test failed")

        threads.append(threading.Thread(target=guarded))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(120)
    if raised:
        raise raised[0]


def slots_of(events: list[ev.AnyEvent]) -> list[int]:
    return [event.slots for event in events if isinstance(event, ev.SlotsChanged)]


@pytest.mark.slow(15)
@pytest.mark.filterwarnings("ignore")
def test_a_sweep_follows_nodes_that_join_and_leave(tmp_path: Path, patiently: Any) -> None:
    """It begins without room, gets it twice, loses a node with two trials on it, and ends with all of its trials."""
    with cluster_of(num_cpus=0) as cluster:
        run = Run(tmp_path, Slot(1, 0), num_trials=10)
        run.hold(0, until_begun=100)

        def nodes_come_and_go() -> None:
            run.wait_for(lambda coordinator: len(coordinator.live) == 1)
            first = cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES)
            run.wait_for(lambda coordinator: coordinator.sweep.num_epochs == 2)
            cluster.add_node(num_cpus=2, object_store_memory=STORE_BYTES)
            run.wait_for(lambda coordinator: coordinator.sweep.num_epochs == 4)
            cluster.remove_node(first, allow_graceful=False)
            run.wait_for(lambda coordinator: coordinator.slots == 2)
            run.hold(0, 0)

        patiently(run, nodes_come_and_go)
        events = run.fit()
    assert slots_of(events) == [0, 2, 4, 2]
    failed = [event for event in events if isinstance(event, ev.AttemptFailed)]
    assert len(failed) == 2 and {(event.cause, event.counts) for event in failed} == {("node", False)}
    assert run.coordinator.sweep.outcomes()["completed"] == 10
    found = verify_sweep(run.journal.folder, mlflow=False, checkpoints=False)
    assert found.ok, str(found)


HEAD_TYPE = "ray.head.default"
HEAD_ID = "f" * 51 + "00000"
EMPTY = (
    "cluster_synced_files", "rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands",
    "head_setup_commands", "worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands",
)  # fmt: skip


def autoscaler_file(folder: Path, host: str, port: int) -> Path:
    """A cluster whose nodes are processes of this machine, started and ended by Ray's autoscaler."""
    kinds = {
        HEAD_TYPE: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "worker": {
            "resources": {"CPU": 2, "object_store_memory": STORE_BYTES},
            "node_config": {},
            "min_workers": 0,
            "max_workers": 2,
        },
    }
    provider = {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
        "launch_multiple": True,
        "head_node_id": HEAD_ID,
        "gcs_address": f"{host}:{port}",
    }
    written = {
        "cluster_name": "fake",
        "max_workers": 2,
        "provider": provider,
        "available_node_types": kinds,
        "head_node_type": HEAD_TYPE,
        "auth": {},
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 0.1,
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in EMPTY},
    }
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(written))
    return path


@pytest.mark.slow(15)
@pytest.mark.filterwarnings("ignore")
def test_an_autoscaler_makes_room_for_the_trials_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patiently: Any
) -> None:
    """From no worker at all to the two nodes that it may start, with nobody telling the sweep how many these are."""
    import ray

    monkeypatch.setenv("RAY_enable_autoscaler_v2", "1")
    monkeypatch.setenv("RAY_FAKE_CLUSTER", "1")
    monkeypatch.setenv("AUTOSCALER_UPDATE_INTERVAL_S", "1")
    names = {"RAY_CLOUD_INSTANCE_ID": HEAD_ID, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID}
    environment = {**names, "RAY_NODE_TYPE_NAME": HEAD_TYPE}  # as `ray up` starts a head
    labels = {"ray.io/node-group": HEAD_TYPE}
    host, port = ray.util.get_node_ip_address(), free_port()
    file = autoscaler_file(tmp_path, host, port)
    with cluster_of(
        num_cpus=0, gcs_server_port=port, env_vars=environment, labels=labels, autoscaling_config=str(file)
    ):
        slot = Slot(1, 0)
        growth.check_room(slot)
        run = Run(tmp_path, slot, num_trials=6)
        run.hold(0, until_begun=4)
        events = run.fit()
    assert slots_of(events)[0] == 0 and max(slots_of(events)) == 4
    assert run.coordinator.sweep.outcomes()["completed"] == 6
