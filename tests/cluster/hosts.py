"""Hosts of one machine: network namespaces with addresses of their own on a bridge, an sshd and a home in each.

A host has its own processes, name, home and /tmp/ray, so that `ray stop`, which looks through all processes, stops the
host's alone. The machine's files are common to all. Addresses are of 198.18.0.0/15, the range for tests (RFC 2544).
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.servers import wait_until

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NEEDED = {
    "ip": "iproute2",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "unshare": "util-linux",
}

_APART = ("--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--uts", "--ipc")
_INIT = """set -eu
mount --make-rprivate /
mkdir -p /tmp/ray /run/sshd
mount --bind {folder}/ray /tmp/ray
mount --bind {folder}/passwd /etc/passwd
hostname {name}
exec {sshd} -D -e -f {folder}/sshd_config
"""
_SSHD_CONFIG = """ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {key}.pub
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxStartups 100
PrintMotd no
"""


def is_missing() -> str:
    """Why hosts cannot be had here; empty if they can."""
    if os.getuid() != 0:
        return "hosts of one machine need root, to make network namespaces"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    lacking = [package for name, package in NEEDED.items() if shutil.which(name, path=path) is None]
    if lacking:
        return f"hosts of one machine need {', '.join(lacking)}"
    made = subprocess.run(["ip", "netns", "add", "tuner-probe"], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", "tuner-probe"], capture_output=True)
    return "" if made.returncode == 0 else f"no network namespace can be made here: {made.stderr.strip()}"


@dataclass
class Host:
    """One host; `address` is how the others reach it."""

    name: str
    address: str
    folder: Path
    namespace: str
    link: str
    """The bridge's end of the host's cable."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def cut(self) -> None:
        """Pulls the cable: nothing reaches it, and it reaches nothing."""
        _ip("link", "set", self.link, "down")

    def kill(self) -> None:
        """Pulls the plug: cable and all processes at once."""
        self.cut()
        self.end()

    def end(self) -> None:
        """Ends the host's first process, and with it all others of its process namespace."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text()


@dataclass
class Hosts:
    """A network of hosts; use as a context manager, which removes all of it."""

    folder: Path
    names: tuple[str, ...]
    hosts: dict[str, Host] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tag = f"{os.getpid() % 46656:x}{random.randrange(4096):03x}"
        self._net = f"198.{random.choice((18, 19))}.{random.randrange(1, 255)}"
        self._bridge = f"tb{self._tag}"
        self.key = self.folder / "key"

    @property
    def gateway(self) -> str:
        """This machine's address as the hosts see it: servers for them listen there."""
        return f"{self._net}.1"

    def __enter__(self) -> Hosts:
        try:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("address", "add", f"{self.gateway}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for index, name in enumerate(self.names):
                self.hosts[name] = self._add(name, index)
            for host in self.hosts.values():
                wait_until(lambda host=host: _listens(host.address, 22))  # type: ignore[misc]
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for host in self.hosts.values():
            host.end()
            subprocess.run(["ip", "link", "del", host.link], capture_output=True)
            subprocess.run(["ip", "netns", "del", host.namespace], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def _add(self, name: str, index: int) -> Host:
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        (folder / "ray").mkdir()
        namespace, link = f"tuner-{self._tag}-{name}", f"tv{self._tag}{index}"
        host = Host(name, f"{self._net}.{11 + index}", folder, namespace, link)
        self._wire(host)
        self._furnish(host)
        with open(folder / "sshd.log", "wb") as log:
            host.process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, "unshare", *_APART, "bash", str(folder / "init")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return host

    def _wire(self, host: Host) -> None:
        inside = ("netns", "exec", host.namespace, "ip")
        _ip("netns", "add", host.namespace)
        _ip("link", "add", host.link, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        _ip("link", "set", host.link, "master", self._bridge, "up")
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "address", "add", f"{host.address}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")
        _ip(*inside, "route", "add", "default", "via", self.gateway)

    def _furnish(self, host: Host) -> None:
        """A host key, a home whose shells find this Python's programs, and what the host's first process does."""
        folder = host.folder
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)
        passwd = Path("/etc/passwd").read_text()
        (folder / "passwd").write_text(re.sub(r"(?m)^root:.*$", f"root:x:0:0:root:{host.home}:/bin/bash", passwd))
        config = _SSHD_CONFIG.format(address=host.address, folder=folder, key=self.key)
        (folder / "sshd_config").write_text(config)
        (folder / "init").write_text(_INIT.format(folder=folder, name=host.name, sshd=SSHD))
        exports = f"export PATH={Path(sys.executable).parent}:$PATH OPENBLAS_NUM_THREADS=1\n"
        (host.home / ".bashrc").write_text(exports)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True
