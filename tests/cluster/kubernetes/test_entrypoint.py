"""A manifest's entrypoint on a real Ray cluster of two nodes, each in a folder laid out as the pods' volume is."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.cluster.kubernetes.making import spec
from tests.servers import free_port, wait_until
from tuner.cluster.kubernetes.job import manifest
from tuner.cluster.kubernetes.options import Options
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import read_events
from tuner.sweep import fold
from tuner.sweep.events import EpochReported

MODELS = Path(__file__).parents[2] / "sweeps" / "models"
BIN = Path(sys.executable).parent
HOST = "127.0.0.9"
"""On loopback, too; Ray takes 127.0.0.1 for the machine's other address."""


def lay_out(objects: list[dict[str, Any]], volume: dict[str, Any], folder: Path) -> None:
    """Files as the kubelet lays them: links through a folder of a name that differs from pod to pod."""
    content = folder / f"..{os.urandom(4).hex()}"
    for item in volume["configMap"]["items"]:
        place = content / item["path"]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(objects[0]["data"][item["key"]])
    (folder / "..data").symlink_to(content.name)
    for path in content.iterdir():
        (folder / path.name).symlink_to(f"..data/{path.name}")


@dataclass
class Pods:
    """A head that runs no trial, and a worker."""

    objects: list[dict[str, Any]]
    folder: Path
    processes: list[subprocess.Popen[bytes]]
    dashboard: str
    environment: dict[str, str]

    def start(self) -> None:
        cluster = self.objects[1]["spec"]["rayClusterSpec"]
        port, dashboard = free_port(), free_port()
        self.dashboard = f"http://127.0.0.1:{dashboard}"
        params = cluster["headGroupSpec"]["rayStartParams"]
        head = [f"--{name}={value}" for name, value in params.items()]
        head += ["--head", f"--port={port}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
        head += [f"--ray-client-server-port={free_port()}", f"--temp-dir={self.folder / 'ray'}"]
        self._pod("head", cluster["headGroupSpec"], head)
        self._wait(lambda: self._asked("/api/version") != "")
        self._pod("worker", cluster["workerGroupSpecs"][0], [f"--address={HOST}:{port}", "--num-cpus=1"])
        self._wait(lambda: self._asked("/nodes?view=summary").count('"ALIVE"') == 2)

    def submit(self) -> subprocess.Popen[str]:
        """As the operator's submitter does, which ends as the job ends."""
        entrypoint = self.objects[1]["spec"]["entrypoint"].split()
        command = [BIN / "ray", "job", "submit", f"--address={self.dashboard}", "--", *entrypoint]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, env=self.environment, text=True, **pipes)

    def stop(self) -> None:
        """At once; Ray's own way takes half a minute."""
        for process in self.processes:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
                process.kill()
            process.wait()

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Until a condition is met, or one of the nodes has ended, and says why."""
        wait_until(lambda: any(one.poll() is not None for one in self.processes) or condition(), 180, 1)
        logs = "\n".join(log.read_text()[-2000:] for log in self.folder.glob("*.log"))
        assert all(one.poll() is None for one in self.processes), logs

    def _pod(self, name: str, group: dict[str, Any], arguments: list[str]) -> None:
        pod = group["template"]["spec"]
        folder = self.folder / name
        folder.mkdir()
        lay_out(self.objects, pod["volumes"][0], folder)
        own = {variable["name"]: variable["value"] for variable in pod["containers"][0]["env"]}
        ports = [f"--dashboard-agent-listen-port={free_port()}", f"--metrics-export-port={free_port()}"]
        command = [BIN / "ray", "start", "--block", f"--node-ip-address={HOST}", "--disable-usage-stats", *ports]
        command += ["--object-store-memory=100000000", *arguments]
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, env={**self.environment, **own}, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)

    def _asked(self, path: str) -> str:
        """The dashboard's answer; empty if there is none yet."""
        headers = {"Authorization": f"Bearer {self.environment['RAY_AUTH_TOKEN']}"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.dashboard + path, headers=headers)) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Callable[[], Pods]]:
    """Makes clusters of one manifest, each in a folder of its own."""
    model = tmp_path / "models"
    model.mkdir()
    shutil.copy(MODELS / "tiny.py", model / "beside.py")
    (model / "mine.py").write_text("from beside import Tiny\n\n\nclass Mine(Tiny):\n    pass\n")
    slow_while = tmp_path / "slow"
    slow_while.touch()
    space = {"learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"}, "batch_size": 32}
    made = spec(
        name="in-pods",
        trainable=f"{model}/mine.py:Mine",
        num_trials=3,
        epochs={"max": 4},
        early_stopping={"algorithm": "none"},
        space={**space, "pause_s": 0.5, "slow_while": str(slow_while)},
        storage=str(tmp_path / "sweeps"),
        tracking={"uri": None},
    )
    objects = manifest(made, Options(), {})
    shutil.rmtree(model)  # the pods have nothing but the ConfigMap
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "token",  # as the operator sets them for authOptions
        "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    }
    clusters: list[Pods] = []

    def start() -> Pods:
        folder = Path(tempfile.mkdtemp(prefix="pods-"))  # Ray's sockets lie in it, and their paths must be short
        clusters.append(Pods(objects, folder, [], "", environment))
        clusters[-1].start()
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)


@pytest.mark.slow(60)
def test_a_retry_on_a_new_cluster_goes_on_with_the_sweep(pods: Callable[[], Pods], tmp_path: Path) -> None:
    folder = StorageRoot.resolve(str(tmp_path / "sweeps")).sweep("in-pods")
    first = pods()
    submitted = first.submit()
    wait_until(lambda: len(epochs(folder)) >= 2 or submitted.poll() is not None, 180, 0.2)
    assert submitted.poll() is None, submitted.communicate()
    first.stop()
    submitted.kill()
    submitted.communicate()
    begun = epochs(folder)
    assert 2 <= len(begun) < 12

    (tmp_path / "slow").unlink()
    submitted = pods().submit()
    told, _ = submitted.communicate()
    assert submitted.returncode == 0, told
    sweep = fold(read_events(folder))
    assert sweep.spec["trainable"] == "code/mine.py:Mine"
    assert sweep.outcomes()["completed"] == 3
    ended = epochs(folder)
    assert ended[: len(begun)] == begun
    assert sorted(ended) == [(trial, epoch) for trial in range(3) for epoch in range(1, 5)]


def epochs(folder: SweepFolder) -> list[tuple[int, int]]:
    events = read_events(folder) if folder.exists() else []
    return [(event.trial, event.epoch) for event in events if isinstance(event, EpochReported)]
