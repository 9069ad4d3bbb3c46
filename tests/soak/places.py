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

    def close(self) -> None:
        self._exits.close()

    @cached_property
    def ray_address(self) -> str:
        """A Ray cluster of two CPUs on this machine."""
        from ray.cluster_utils import Cluster

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            head = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 10**9}
            cluster = Cluster(initialize_head=True, head_node_args=head)
        self._exits.callback(cluster.shutdown)
        return str(cluster.address)

    @cached_property
    def database(self) -> Path:
        """An empty tracking database, whose making takes seconds."""
        from tuner.recording.reading import quiet_mlflow

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
