"""A sweep on machines that would not see its files is refused before there is anything of it."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.simulation import make_spec, new_sweep
from tuner.backend import driver, nodes, session
from tuner.backend.sweep_run import SweepRun
from tuner.base.errors import SpecError
from tuner.engine.slots import Slot
from tuner.inspection import Inspected
from tuner.storage import StorageRoot


class Silent:
    def phase(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...


@pytest.fixture
def two_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "start_ray", lambda address, note, requirements: None)
    monkeypatch.setattr(nodes, "cluster_nodes", lambda: [{"CPU": 2.0}, {"CPU": 2.0}])
    monkeypatch.setattr(nodes, "num_hosts", lambda: 2)


@pytest.mark.usefixtures("two_hosts")
def test_two_machines_and_a_local_folder_are_refused_with_all_other_problems(tmp_path: Path) -> None:
    spec = make_spec(objective__metric="val_acuracy")
    with pytest.raises(SpecError) as refused:
        driver.start_sweep(spec, StorageRoot(tmp_path), "sweep.yaml", "10.0.0.1:6379", Silent())  # type: ignore[arg-type]
    told = [problem.split(":")[0] for problem in refused.value.problems]
    assert told == ["objective.metric", "storage", "tracking.uri"] and str(tmp_path) in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_workers_are_told_of_the_store_that_holds_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    spec = make_spec(data="s3://bucket/faces.npz")
    journal = new_sweep(tmp_path, spec)
    made = SweepRun(spec, journal, Inspected({}, [], None), None, Silent())  # type: ignore[arg-type]
    journal.close()
    assert made._settings(Slot(1, 0)).environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"


@pytest.mark.slow
def test_a_real_cluster_of_two_addresses_is_seen_as_two_machines(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        few = {"include_dashboard": False, "object_store_memory": 10**8}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **few})
        cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2", **few)
    command = [sys.executable, "-m", "tuner.cli.main", "run", "digits", "--storage", str(tmp_path / "sweeps")]
    try:
        done = subprocess.run([*command, "--address", cluster.address], capture_output=True, text=True)
    finally:
        cluster.shutdown()
    assert done.returncode == 2 and "storage: must be shared by all 2 nodes" in done.stderr
    assert "tracking.uri: must be a server that all 2 nodes reach" in done.stderr
    assert not (tmp_path / "sweeps").exists()
