"""Who holds a sweep, as the lease says it, and whether that process can still be alive."""

from __future__ import annotations

import functools
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import psutil

from tuner.storage import SweepFolder

FRESH_S = 60.0
"""From another machine, a beat of at most this age (by both clocks, so skew counts) is a live holder's for `status`."""


@dataclass(frozen=True)
class Holder:
    """A driver at work; `machine` is the kernel's boot, `namespace` the process ids' there, times are Unix seconds."""

    host: str
    pid: int
    since: float
    id: str = ""
    machine: str = ""
    namespace: str = ""
    beat: float = 0.0
    released: bool = field(default=False, compare=False)
    began_s: float | None = None
    """When the process began, in seconds after the boot: those stay the same when somebody sets the clock."""
    url: str = ""
    inode: int = 0
    """Of the sweep's folder that it holds: a copy of the folder has another one, and holds a copy of the lease."""

    @classmethod
    def this_process(cls) -> Holder:
        now, boot = time.time(), psutil.boot_time()
        began_s = psutil.Process().create_time() - boot
        return cls(socket.gethostname(), os.getpid(), now, uuid.uuid4().hex, *here(), beat=now, began_s=began_s)

    @classmethod
    def from_bytes(cls, data: bytes) -> Holder | None:
        """What a lease says; None if it cannot be understood."""
        try:
            read: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
            known = {field.name for field in fields(cls)}
            return msgspec.convert({name: value for name, value in read.items() if name in known}, cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def to_bytes(self) -> bytes:
        return msgspec.json.encode(asdict(self))

    def holding(self, folder: SweepFolder) -> Holder:
        """As it holds the sweep in this folder."""
        return replace(self, url=folder.url, inode=_inode(folder))

    def is_of(self, folder: SweepFolder) -> bool:
        """Whether it holds the sweep in this folder, and not the one that the folder is a copy of.

        Another machine may know the folder by another path, and a file system may number its folders anew for each.
        """
        return not self.url or self.url == folder.url or (self.inode != 0 and self.inode == _inode(folder))

    @property
    def is_of_this_boot(self) -> bool:
        """Whether it ran on this machine, under the kernel that runs now."""
        return bool(self.machine) and self.machine == here()[0]

    @property
    def sees_this_process(self) -> bool:
        """Whether its process id means something here."""
        return self.is_of_this_boot and self.namespace == here()[1]

    @property
    def has_process(self) -> bool:
        """Whether its process lives; only where `sees_this_process`. A later process may have got its number."""
        try:
            boot, began = psutil.boot_time(), psutil.Process(self.pid).create_time()
            if self.began_s is not None and abs(began - boot - self.began_s) < 1.0:
                return True
            if self.began_s is not None and psutil.LINUX:
                return False  # it counts from the boot; elsewhere the boot is said to be later once the clock was set
            return bool(began <= self.since + 2.0)
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True

    @property
    def beats(self) -> bool:
        """Whether its last beat is fresh by the clock; the other machine's may differ, so this is for telling only."""
        return abs(time.time() - self.beat) <= FRESH_S

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


def _inode(folder: SweepFolder) -> int:
    """The number of a folder on its file system; 0 on an object store, or if there is none."""
    try:
        return os.stat(folder.path).st_ino if isinstance(folder.path, Path) else 0
    except OSError:
        return 0


@functools.cache
def here() -> tuple[str, str]:
    """This machine as long as it is not booted again, and the namespace of this process's id."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = f"{uuid.getnode():x}-{int(psutil.boot_time())}"
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return boot, namespace
