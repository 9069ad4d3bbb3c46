"""A sweep's metrics: those that the dashboard asks for are there, on the port where Prometheus looks for them."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.backend.clusters import Run, cluster_of
from tests.cluster.kubernetes.making import gpu_spec, ray_job
from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.backend.telemetry import EXPORTED
from tuner.engine.slots import Slot

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"


def queries() -> Iterator[str]:
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (str(variable.get("definition", "")) for variable in dashboard["templating"]["list"])


def asked_for() -> set[str]:
    """The names of metrics in the dashboard's queries."""
    return {name for query in queries() for name in re.findall(r"\bray_[a-zA-Z0-9_:]+", query)}


def test_the_dashboard_asks_for_all_that_is_exported_and_for_nothing_else() -> None:
    assert asked_for() == set(EXPORTED)


def test_the_documents_name_each_metric() -> None:
    text = (MONITORING / "README.md").read_text()
    assert {name for name in EXPORTED if re.sub("_(bucket|sum|count)$", "", name) not in text} == set()


def test_prometheus_looks_where_ray_and_our_manifests_put_the_ports() -> None:
    from ray._private.ray_constants import PROMETHEUS_SERVICE_DISCOVERY_FILE

    [job] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    [[file]] = [found["files"] for found in job["file_sd_configs"]]
    assert file == f"/tmp/ray/{PROMETHEUS_SERVICE_DISCOVERY_FILE}"
    monitor = yaml.safe_load((MONITORING / "pod-monitor.yaml").read_text())["spec"]
    head = ray_job(gpu_spec(1))["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    assert {end["port"] for end in monitor["podMetricsEndpoints"]} <= {port["name"] for port in head["ports"]}


def test_decisions_are_timed_once_each(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(num_trials=4))
    coordinator = coordinator_of(journal)
    assert not SimulatedCluster(coordinator, accuracy).run(5)
    taken = coordinator.take_decisions_s()
    assert len(taken) == 5 and min(taken) > 0 and coordinator.take_decisions_s() == []
    journal.close()


def scraped(port: int) -> dict[str, list[str]]:
    """Name -> its lines on a node's metrics port."""
    with urllib.request.urlopen(f"http://{node_address()}:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    found: dict[str, list[str]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            found.setdefault(re.split(r"[{ ]", line)[0], []).append(line)
    return found


def node_address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_each_metric_is_on_the_port_of_the_drivers_node(tmp_path: Path) -> None:
    with cluster_of(num_cpus=2) as cluster:
        run = Run(tmp_path, Slot(1, 0), num_trials=6)
        run.fit()
        port = int(cluster.head_node.metrics_export_port)
        until = time.monotonic() + 90
        found: dict[str, Any] = {}
        while not asked_for() <= found.keys() and time.monotonic() < until:
            time.sleep(1)
            found = scraped(port)
    assert asked_for() - found.keys() == set()
    [completed] = [line for line in found["ray_tuner_trials"] if 'outcome="completed"' in line]
    assert 'sweep="test"' in completed and float(completed.split()[-1]) == 6
    [epochs] = found["ray_tuner_epochs_total"]
    assert float(epochs.split()[-1]) == 18
    [decisions] = found["ray_tuner_decision_seconds_count"]
    assert float(decisions.split()[-1]) == 18
