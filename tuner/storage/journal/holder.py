"""The process that holds a sweep according to the lease, and whether it can still be alive."""

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
"""A holder on another machine is shown as alive if its last beat is at most this old, by clocks that may differ."""


@dataclass(frozen=True)
class Holder:
    """A running driver. `machine` identifies the boot, `namespace` the pid namespace; times are in Unix seconds."""

    host: str
    pid: int
    since: float
    id: str = ""
    machine: str = ""
    namespace: str = ""
    beat: float = 0.0
    released: bool = field(default=False, compare=False)
    began_s: float | None = None
    """When the process started, in seconds after the boot, which do not change if the clock is set."""
    url: str = ""
    inode: int = 0
    """The inode of the sweep's folder. A copy of the folder has another one, and a copy of the lease."""

    @classmethod
    def this_process(cls) -> Holder:
        now, boot = time.time(), psutil.boot_time()
        began_s = psutil.Process().create_time() - boot
        return cls(socket.gethostname(), os.getpid(), now, uuid.uuid4().hex, *here(), beat=now, began_s=began_s)

    @classmethod
    def from_bytes(cls, data: bytes) -> Holder | None:
        """The holder in a lease; None if it cannot be parsed."""
        try:
            read: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
            known = {field.name for field in fields(cls)}
            return msgspec.convert({name: value for name, value in read.items() if name in known}, cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def to_bytes(self) -> bytes:
        return msgspec.json.encode(asdict(self))

    def holding(self, folder: SweepFolder) -> Holder:
        """This process as the holder of the sweep in a folder."""
        return replace(self, url=folder.url, inode=_inode(folder))

    def is_of(self, folder: SweepFolder) -> bool:
        """Whether it holds the sweep in this folder rather than the one that the folder is a copy of.

        On another machine the folder may have another path, and its file system may assign other inodes.
        """
        return not self.url or self.url == folder.url or (self.inode != 0 and self.inode == _inode(folder))

    @property
    def is_of_this_boot(self) -> bool:
        """Whether it ran on this machine since the last boot."""
        return bool(self.machine) and self.machine == here()[0]

    @property
    def sees_this_process(self) -> bool:
        """Whether its process id is valid in this process's namespace."""
        return self.is_of_this_boot and self.namespace == here()[1]

    @property
    def has_process(self) -> bool:
        """Whether its process is alive, and not a later one with the same id; requires `sees_this_process`."""
        try:
            boot, began = psutil.boot_time(), psutil.Process(self.pid).create_time()
            if self.began_s is not None and abs(began - boot - self.began_s) < 1.0:
                return True
            if self.began_s is not None and psutil.LINUX:
                return False  # it counts from the boot; other systems shift the time of the boot when the clock is set
            return bool(began <= self.since + 2.0)
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True

    @property
    def beats(self) -> bool:
        """Whether its last beat is recent. For display only, because the clock of the other machine may differ."""
        return abs(time.time() - self.beat) <= FRESH_S

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"


def _inode(folder: SweepFolder) -> int:
    """The inode of a folder; 0 on an object store, or if it does not exist."""
    try:
        return os.stat(folder.path).st_ino if isinstance(folder.path, Path) else 0
    except OSError:
        return 0


@functools.cache
def here() -> tuple[str, str]:
    """The ids of this machine's boot and of this process's pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = f"{uuid.getnode():x}-{int(psutil.boot_time())}"
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return boot, namespace
