"""What the sweeps of a soak run on: a Ray cluster, a tracking server behind a proxy, S3, and small disks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.objectstore import S3Server
from tests.servers import MlflowServer, Proxy

DISK = "4m"
"""Of a small disk: room for a sweep, filled up in a moment."""


class Places:
    """Servers, started when they are first needed and stopped with the soak."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._exits = contextlib.ExitStack()
        self._ray: Any = None

    def close(self) -> None:
        self._leave_ray()
        self._exits.close()

    @property
    def ray_address(self) -> str:
        """A Ray cluster of two CPUs on this machine."""
        from ray.cluster_utils import Cluster

        if self._ray is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 10**9}
                self._ray = Cluster(initialize_head=True, head_node_args=head)
        return str(self._ray.address)

    def kill_ray(self, name: str) -> None:
        """SIGKILL to the cluster's `raylet` or `gcs_server`."""
        for started in self._ray.head_node.all_processes[name]:
            started.process.kill()

    def restart_ray(self) -> None:
        """What is left of the cluster goes; another comes when it is asked for."""
        self._leave_ray()

    def _leave_ray(self) -> None:
        cluster, self._ray = self._ray, None
        if cluster is not None:
            for processes in list(cluster.head_node.all_processes.values()):
                for started in processes:
                    with contextlib.suppress(OSError):
                        started.process.kill()
                        started.process.wait()

    @cached_property
    def database(self) -> Path:
        """An empty tracking database, whose making takes seconds."""
        from tuner.recording.client import quiet_mlflow

        path = self.folder / "empty.db"
        quiet_mlflow()
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{path}").search_experiments(max_results=1)
        return path

    @cached_property
    def server(self) -> MlflowServer:
        folder = self.folder / "server"
        folder.mkdir()
        server = MlflowServer(f"sqlite:///{folder / 'mlflow.db'}", folder)
        return self._exits.enter_context(server)

    @cached_property
    def proxy(self) -> Proxy:
        """Between the recorders and the tracking server."""
        return self._exits.enter_context(Proxy(self.server.port))

    @cached_property
    def s3(self) -> S3Server:
        """An S3 server; the environment names it from now on."""
        server = S3Server()
        self._exits.callback(server.stop)
        os.environ |= server.environ
        return server

    def mount_disk(self, folder: Path) -> None:
        """Mounts a small disk."""
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)

    def unmount_disk(self, folder: Path) -> None:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)

    @cached_property
    def can_mount(self) -> bool:
        """Whether this user may mount a small disk here."""
        trial = self.folder / "mount"
        try:
            self.mount_disk(trial)
        except (OSError, subprocess.CalledProcessError):
            return False
        self.unmount_disk(trial)
        return True


def children_of_soak(marker: str) -> Iterator[Any]:
    """Processes whose command line names a place of this soak, such as its recorders."""
    import psutil

    for process in psutil.process_iter(["cmdline"]):
        if any(marker in part for part in process.info["cmdline"] or ()):
            yield process
