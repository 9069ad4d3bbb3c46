"""The process of a node that has imported TensorFlow and forks others; it does nothing else.

Whoever wants a process opens a connection and sends `Wanted`. The connection is held as long as the process is wanted:
when it closes, the process is killed; when the process ends, its exit status is sent. So neither outlives the other,
whoever is killed. Nothing but imports happens here before a fork: no context of TensorFlow, no thread, no user's code.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tuner.processes import child, wire

LINGER_VARIABLE = "TUNER_FORK_LINGER_S"
LINGER_S = 5.0
"""How long a node's server waits for the next process after the last one has ended."""
_SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


@dataclass(frozen=True)
class Wanted:
    """A process. With it go its connection, its standard output and its standard error as open files."""

    work: str
    """module:function, called with the connection and the kept files by name."""
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    paths: tuple[str, ...] = ()
    """Where it imports from."""
    folder: str = ""
    keeps: str = ""
    """The name of the kept file that it needs; it is asked for if nobody has given it."""
    is_forked: bool = True
    niceness: int = 0
    """As of who wanted it; Ray gives its workers a low priority, so that its own processes and the driver are quick."""


@dataclass(frozen=True)
class Kept:
    """A file to keep for processes, by a name; it goes with it."""

    name: str


@dataclass(frozen=True)
class Lacking:
    """The answer where a file is not kept here."""

    name: str


@dataclass(frozen=True)
class Started:
    pid: int


@dataclass(frozen=True)
class Exited:
    """The answer when a process has ended: its exit code; negative, the signal that killed it."""

    code: int


class Server:
    """Forks and watches processes, until its owner is gone or nobody needs it.

    Args:
        listener: the socket, bound already, so that whoever comes while TensorFlow is imported waits there.
        owner: an open file that ends with the driver that this server belongs to; None for a node's server.
    """

    def __init__(self, listener: socket.socket, owner: int | None, linger_s: float = LINGER_S) -> None:
        self._listener, self._owner, self._linger_s = listener, owner, linger_s
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, socket.socket] = {}
        """Process -> the connection of who wanted it."""
        self._wanters: dict[socket.socket, int | None] = {}
        self._kept: dict[str, int] = {}
        self._givers: dict[str, socket.socket] = {}
        """Data that are on their way -> who was asked for them."""
        self._waiting: dict[str, list[tuple[socket.socket, Wanted, list[int]]]] = defaultdict(list)
        """Data that are on their way -> who waits for them."""
        self._woken, self._wakes = socket.socketpair()

    def run(self) -> None:
        """Serves until it is not needed."""
        self._woken.setblocking(False)
        self._wakes.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        self._watch(self._listener, self._accept)
        self._watch(self._woken, self._reap)
        if self._owner is not None:
            self._selector.register(self._owner, selectors.EVENT_READ, lambda: sys.exit(0))
        gc.collect()
        gc.freeze()  # else the first collection in each child would copy all pages
        idle_since = time.monotonic()
        while self._owner is not None or self._wanters or time.monotonic() - idle_since < self._linger_s:
            for key, _ in self._selector.select(self._linger_s):
                key.data()
                idle_since = time.monotonic()

    def _watch(self, connection: socket.socket, call: Callable[[], None]) -> None:
        self._selector.register(connection, selectors.EVENT_READ, call)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        if not wire.is_own(connection):
            connection.close()
            return
        self._wanters[connection] = None
        self._watch(connection, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        try:
            message, files = wire.receive(connection)
        except (EOFError, OSError):
            self._leave(connection)
            return
        if isinstance(message, Kept):
            self._keep(message.name, files[0])
            _send(connection, message)
        elif message.keeps and message.keeps not in self._kept:
            self._wait_for_data(connection, message, files)
        else:
            self._start(connection, message, files)

    def _keep(self, name: str, file: int) -> None:
        if (before := self._kept.get(name)) is not None:
            os.close(before)
        self._kept[name] = file
        self._givers.pop(name, None)
        for connection, wanted, files in self._waiting.pop(name, []):
            if connection in self._wanters:
                self._start(connection, wanted, files)
            else:
                _close(files)

    def _wait_for_data(self, connection: socket.socket, wanted: Wanted, files: list[int]) -> None:
        """Asks one of those who want the data for them; the others wait."""
        if self._givers.setdefault(wanted.keeps, connection) is connection:
            _close(files)
            _send(connection, Lacking(wanted.keeps))
        else:
            self._waiting[wanted.keeps].append((connection, wanted, files))

    def _start(self, connection: socket.socket, wanted: Wanted, files: list[int]) -> None:
        kept = {wanted.keeps: self._kept[wanted.keeps]} if wanted.keeps else {}
        pid = os.fork()
        if not pid:
            self._become(wanted, files, kept)
        self._children[pid] = connection
        self._wanters[connection] = pid
        _close(files)
        _send(connection, Started(pid))

    def _become(self, wanted: Wanted, files: list[int], kept: dict[str, int]) -> None:
        """In the child: becomes the process that was wanted. Does not return."""
        try:
            os.setsid()  # what the process itself starts is killed with it
            die_with(os.getppid())
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            others = [self._listener, self._woken, self._wakes, *self._wanters]
            self._selector.close()
            for other in others:
                other.close()
            if wanted.is_forked:
                child.run(wanted, files, kept)
            else:
                child.replace(wanted, files, kept)
        finally:
            os._exit(1)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            kill_group(pid)  # what it started itself
            connection = self._children.pop(pid, None)
            if connection is not None and connection in self._wanters:
                self._wanters[connection] = None
                _send(connection, Exited(os.waitstatus_to_exitcode(status)))

    def _leave(self, connection: socket.socket) -> None:
        """Nobody wants the process of this connection any more."""
        pid = self._wanters.pop(connection)
        self._selector.unregister(connection)
        connection.close()
        if pid is not None:
            kill_group(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for name in [name for name, giver in self._givers.items() if giver is connection]:
            del self._givers[name]
            waiting = self._waiting.pop(name, [])
            for other, wanted, files in waiting:
                if other in self._wanters:
                    self._wait_for_data(other, wanted, files)
                else:
                    _close(files)


def _send(connection: socket.socket, message: Any) -> None:
    with contextlib.suppress(OSError):  # its wanter is gone, which is heard next
        wire.send(connection, message)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


def kill_group(leader: int) -> None:
    """SIGKILL to a process and all that it started in its session's group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def die_with(parent: int) -> None:
    """From now on this process is killed when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
