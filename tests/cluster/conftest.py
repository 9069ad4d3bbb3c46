"""A cluster of hosts on one machine, and the servers that all of them reach: S3, and the deployed tracking server."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.hosts import Host, Hosts, is_missing
from tests.objectstore import S3Server
from tests.servers import Postgres, free_port, wait_until
from tests.tracking_server import TrackingServer
from tuner.review.verification import verify_sweep
from tuner.spec import dump_yaml
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

TOKEN = "0123456789abcdef" * 4
MODEL = Path(__file__).parents[1] / "sweeps" / "models" / "tiny.py"
LAUNCH_S = 420.0
_SOON = "RAY_health_check_initial_delay_ms=0 RAY_health_check_period_ms=2000 RAY_health_check_timeout_ms=4000"
"""A node that is cut off is dead to Ray after about ten seconds, rather than thirty."""
_START = (
    f"export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 {_SOON} RAY_health_check_failure_threshold=3;"
    " ray start --object-store-memory=100000000 --disable-usage-stats"
)


@dataclass
class Site:
    """Hosts, servers, and a laptop, whose commands run on this machine with a home of their own."""

    hosts: Hosts
    tracking: TrackingServer
    environ: Mapping[str, str]
    """What the laptop knows of storage and tracking."""
    folder: Path
    root: str
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def cluster_file(self, head: str, workers: Sequence[str]) -> str:
        """A launcher file for some of the hosts; each worker has one CPU, the head none."""
        addresses = [self.hosts[name].address for name in workers]
        (self.folder / "token").write_text(TOKEN)
        config = {
            "cluster_name": f"hosts-{head}-{os.getpid()}",
            "provider": {"type": "local", "head_ip": self.hosts[head].address, "worker_ips": addresses},
            "auth": {"ssh_user": "root", "ssh_private_key": str(self.hosts.key)},
            "min_workers": len(workers),
            "max_workers": len(workers),
            "upscaling_speed": 1.0,
            "idle_timeout_minutes": 60,
            "docker": {},
            "file_mounts": {"~/.ray/auth_token": str(self.folder / "token")},
            "cluster_synced_files": [],
            "file_mounts_sync_continuously": False,
            "rsync_exclude": [],
            "rsync_filter": [],
            "initialization_commands": [],
            "setup_commands": [],
            "head_setup_commands": [],
            "worker_setup_commands": [],
            "head_start_ray_commands": [
                "ray stop --force",
                f"{_START} --head --port=6379 --num-cpus=0 --dashboard-host=127.0.0.1"
                " --autoscaling-config=~/ray_bootstrap_config.yaml",
            ],
            "worker_start_ray_commands": ["ray stop --force", f"{_START} --address=$RAY_HEAD_IP:6379 --num-cpus=1"],
        }
        path = self.folder / f"{head}.yaml"
        path.write_text(dump_yaml(config))
        return str(path)

    def join(self, name: str, head: str) -> None:
        """A host joins a running cluster, as one that the launcher has started does."""
        self.ssh(self.hosts[name], f"{_START} --address={self.hosts[head].address}:6379 --num-cpus=1")

    def ssh(self, host: Host, script: str) -> str:
        """What a script on a host prints."""
        (host.home / ".ray").mkdir(exist_ok=True)
        (host.home / ".ray" / "auth_token").write_text(TOKEN)
        command = [*self._ssh(host), f"source ~/.bashrc; {script}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def _ssh(self, host: Host) -> list[str]:
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        return ["ssh", *options, "-i", str(self.hosts.key), f"root@{host.address}"]

    @contextlib.contextmanager
    def tunnel(self, name: str, port: int) -> Iterator[int]:
        """A port here that leads to one on a host's loopback."""
        here = free_port()
        command = [*self._ssh(self.hosts[name]), "-N", "-L", f"127.0.0.1:{here}:127.0.0.1:{port}"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
            try:
                wait_until(lambda: answers(here))
                yield here
            finally:
                process.terminate()

    def spec(self, name: str, **changes: Any) -> str:
        """A spec of the tiny network, whose storage and tracking are those of the site; its path."""
        spec = {
            "name": name,
            "trainable": f"{MODEL}:Tiny",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": 12,
            "epochs": {"min": 1, "max": 9},
            "space": {"learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log"}, "batch_size": 16},
            "storage": self.root,
            "tracking": {"uri": self.tracking.url},
            **changes,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text(dump_yaml(spec))
        return str(path)

    def start(self, *arguments: str, laptop: str = "laptop") -> subprocess.Popen[str]:
        """A `tuner` command on a laptop, in a process group of its own."""
        home = self.folder / laptop
        (home / ".ray").mkdir(parents=True, exist_ok=True)
        (home / ".ray" / "auth_token").write_text(TOKEN)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "MLFLOW_", "RAY_", "TUNER_"))
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tuner.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if "--json" not in arguments else None,
            text=True,
            env={**inherited, **self.environ, "HOME": str(home), "RAY_TMPDIR": str(home)},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # which background jobs ignore
        )
        self.started.append(process)
        return process

    def __call__(self, *arguments: str, exit_code: int = 0, laptop: str = "laptop") -> str:
        """Runs a command to its end; what it printed."""
        process = self.start(*arguments, laptop=laptop)
        printed, _ = process.communicate(timeout=LAUNCH_S)
        assert process.returncode == exit_code, f"exit {process.returncode}\n{printed}"
        assert "Traceback" not in printed
        return printed

    def json(self, *arguments: str, laptop: str = "laptop") -> Any:
        return json.loads(self(*arguments, "--json", laptop=laptop))

    def events(self, name: str) -> list[ev.AnyEvent]:
        folder = StorageRoot.resolve(self.root).sweep(name)
        return read_events(folder) if folder.exists() else []

    def wait_for(self, name: str, condition: Callable[[Sweep], bool], timeout_s: float = LAUNCH_S) -> Sweep:
        """The sweep as soon as its journal meets a condition."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            sweep = fold(self.events(name))
            if sweep.num_events and condition(sweep):
                return sweep
            time.sleep(0.5)
        raise AssertionError(f"{name}: never met within {timeout_s} s: {fold(self.events(name)).outcomes()}")

    def verified(self, name: str, acknowledged: Sequence[ev.AnyEvent] = ()) -> Sweep:
        """The finished sweep, after the checker found nothing wrong with journal, MLflow and checkpoints."""
        found = verify_sweep(StorageRoot.resolve(self.root).sweep(name), acknowledged=acknowledged)
        assert found.ok, "\n".join(str(finding) for finding in found.findings)
        sweep = fold(self.events(name))
        assert sweep.ended is not None and sweep.ended.state == "finished"
        assert len(sweep.trials) == sweep.num_trials and sweep.outcomes()["unfinished"] == 0
        return sweep

    def end_all(self) -> None:
        """Ends what a failed test left running on the laptop."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


@pytest.fixture(scope="session")
def whole_site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Four hosts without Ray; S3 and tracking on an address that they reach."""
    if missing := is_missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    folder = tmp_path_factory.mktemp("site")
    with Hosts(folder, ("head", "one", "two", "three")) as hosts:
        store = S3Server(hosts.gateway)
        with TrackingServer(postgres, store, folder, host=hosts.gateway) as tracking:
            user = tracking.add_user("sweeper", "sweepers-own-password")
            environ = {**store.environ, **tracking.environ(user)}
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environ.items():
                    patch.setenv(name, value)
                site = Site(hosts, tracking, environ, folder, store.new_root())
                try:
                    yield site
                finally:
                    site.end_all()
        store.stop()


@pytest.fixture
def site(whole_site: Site) -> Iterator[Site]:
    yield whole_site
    whole_site.end_all()
    whole_site.started.clear()


def answers(port: int) -> bool:
    """Whether something listens on this machine's loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
