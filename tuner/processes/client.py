"""Asks a node's server for processes, and starts one where there is none."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from trainables.ends import how_it_ended
from tuner.processes import wire
from tuner.processes.forking import may_fork, server_name
from tuner.processes.server import Kept, Lacking, Started, Wanted

BEGINS_WITHIN_S = 60.0
"""What a server may take until it listens, which it does before it imports TensorFlow."""
ALSO = ["--also", "tuner.worker.process", "tuner.inspection.__main__"]
"""What forks need of our own is imported before, once for all."""
_LOOKS_EVERY_S = 0.02
_ENDS_WITHIN_S = 10.0


class EndedError(Exception):
    """A process has ended by itself; the text says how, as in "was killed by SIGSEGV".

    Args:
        is_with_server: whether it was killed with the process that started it, for no reason of its own.
    """

    def __init__(self, how: str, is_with_server: bool = False) -> None:
        super().__init__(how)
        self.is_with_server = is_with_server


class Process:
    """A process that was asked for; it may still wait for its server to be ready. It is killed when this is closed.

    Args:
        control: the connection to the server, which was sent `wanted`.
        files: this side's own copies of what goes with it.
        give: keeps the shared data with the server, where it lacks them.
    """

    def __init__(
        self,
        control: socket.socket,
        connection: socket.socket,
        wanted: Wanted,
        files: list[int],
        give: Callable[[], None],
    ) -> None:
        self._control, self._connection = control, connection
        self._wanted, self._files, self._give = wanted, files, give
        self._pid = 0

    @property
    def pid(self) -> int:
        """Its number, once it has begun.

        Raises:
            ConnectionError: the server is gone.
        """
        if not self._pid:
            answer = _answer(self._control)
            if isinstance(answer, Lacking):
                self._give()
                wire.send(self._control, self._wanted, self._files)
                answer = _answer(self._control)
            assert isinstance(answer, Started)
            self._pid = answer.pid
            self._forget_files()
        return self._pid

    @property
    def known_pid(self) -> int:
        """Its number; 0 while it waits for its server."""
        return self._pid

    def send(self, message: Any, files: Sequence[int] = ()) -> None:
        """Sends an object. Of a process that has ended, `receive` tells it."""
        with contextlib.suppress(OSError):
            wire.send(self._connection, message, files)

    def receive(self, within_s: float | None = None) -> Any:
        """Waits for the next object.

        Raises:
            EndedError: the process is gone.
            TimeoutError: none came within so many seconds, and the process still runs.
            ConnectionError: the server is gone, before the process began.
        """
        assert self.pid
        ready, _, _ = select.select([self._connection, self._control], [], [], within_s)
        if not ready:
            raise TimeoutError
        if self._connection in ready:
            with contextlib.suppress(EOFError, OSError):
                return wire.receive(self._connection)[0]
        error = self._how_it_ended()
        self.close()
        raise error

    def wait(self, within_s: float | None = None) -> int:
        """Waits for its end; its exit code, or minus the signal: that of SIGKILL if its server is gone.

        Raises:
            TimeoutError: it has not ended within so many seconds.
            ConnectionError: the server is gone, before the process began.
        """
        try:
            assert self.pid
            is_closed = self._control.fileno() < 0
            has_ended = is_closed or bool(select.select([self._control], [], [], within_s)[0])
        except BaseException:
            self.close()
            raise
        if not has_ended:
            raise TimeoutError
        try:
            with contextlib.suppress(ConnectionError):
                return int(_answer(self._control).code)
            return -signal.SIGKILL
        finally:
            self.close()

    def close(self) -> None:
        """Ends the process at once."""
        self._connection.close()
        self._control.close()
        self._forget_files()

    def cut(self) -> None:
        """Ends the process although another thread waits for it, which a close would not wake."""
        for one in (self._connection, self._control):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _forget_files(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def _how_it_ended(self) -> EndedError:
        ready, _, _ = select.select([self._control], [], [], _ENDS_WITHIN_S)
        if not ready:  # it closed its connection and goes on
            return EndedError("left its connection")
        try:
            return EndedError(how_it_ended(_answer(self._control).code))
        except ConnectionError:
            return EndedError("was killed with the process that it was forked from", is_with_server=True)


class Server:
    """A node's server, by the name of its socket."""

    def __init__(self, name: str, token: str = "", process: subprocess.Popen[bytes] | None = None) -> None:
        self._name, self.token, self._process = name, token, process
        self._keeping: socket.socket | None = None
        self._is_ready = False

    def start(
        self,
        work: str,
        *,
        outputs: tuple[int, int] = (1, 2),
        is_forked: bool = True,
        data: str = "",
        give: Callable[[], int] | None = None,
        environment: dict[str, str] | None = None,
        folder: str | None = None,
    ) -> Process:
        """A new process that does some work, as soon as the server is ready.

        Args:
            work: module:function, called with a connection and {data: open file}.
            outputs: the files that become its standard output and error.
            is_forked: whether it is forked, with TensorFlow imported; else it is a plain one.
            data: the name of shared data that it needs.
            give: opens them, where this node has not got them yet.
            environment: None for that of this process.

        Raises:
            OSError: the server is gone.
        """
        wanted = Wanted(
            work,
            dict(os.environ) if environment is None else environment,
            tuple(sys.path),
            os.getcwd() if folder is None else folder,
            data,
            is_forked,
            os.nice(0),
        )
        control = self._connected()
        ours, theirs = socket.socketpair()
        files = [theirs.detach(), *(os.dup(file) for file in outputs)]
        process = Process(control, ours, wanted, files, lambda: self._give(data, give))
        try:
            wire.send(control, wanted, files)
        except BaseException:
            process.close()
            raise
        return process

    def keep(self, name: str, file: int) -> None:
        """Gives it shared data to keep, for processes that need them; the file stays the caller's."""
        with contextlib.closing(self._connected()) as control:
            wire.send(control, Kept(name), [file])
            _answer(control)

    @property
    def is_alive(self) -> bool:
        """Whether a server that this process has begun still runs."""
        return self._process is not None and self._process.poll() is None

    def keep_soon(self, name: str, file: int) -> None:
        """As `keep`, without waiting for a server that still imports TensorFlow."""
        self._keeping = self._connected()
        wire.send(self._keeping, Kept(name), [file])

    @property
    def is_ready(self) -> bool:
        """Whether it is known to have imported TensorFlow: it has answered `keep_soon`."""
        if self._keeping is not None and select.select([self._keeping], [], [], 0)[0]:
            self._keeping.close()
            self._keeping, self._is_ready = None, True
        return self._is_ready

    def end(self) -> None:
        """Ends a server that this process has begun, and all that it started."""
        if self._keeping is not None:
            self._keeping.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _give(self, name: str, give: Callable[[], int] | None) -> None:
        assert give is not None, f"nobody gave {name}"
        file = give()
        try:
            self.keep(name, file)
        finally:
            os.close(file)

    def _connected(self) -> socket.socket:
        """Waits for a server that was just begun.

        Raises:
            ConnectionError: there is none, or it is another user's.
        """
        until = time.monotonic() + BEGINS_WITHIN_S
        while True:
            connection = _connection(self._name)
            if connection is not None:
                return connection
            is_gone = self._process is not None and self._process.poll() is not None
            if is_gone or self._process is None or time.monotonic() > until:
                raise ConnectionRefusedError("no process that forks others answers")
            time.sleep(_LOOKS_EVERY_S)


def begin() -> Server | None:
    """A server of this process's own, which imports TensorFlow from now on; None where it cannot fork.

    It ends with this process, and with the thread that calls this.
    """
    if not may_fork():
        return None
    token = uuid.uuid4().hex
    name = server_name(token)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tuner.processes", name[1:], "--owned", *ALSO],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the driver
        env=_quiet(),
    )
    return Server(name, token, process)


def node_server(token: str = "", *, is_forked: bool = True) -> Server:
    """The server of this node: that of the driver, if it is here; else the one that a worker has begun, or begins now.

    Raises:
        OSError: it does not start.
    """
    if token and (connection := _connection(server_name(token))) is not None:
        connection.close()
        return Server(server_name(token), token)
    name = server_name("" if is_forked else "plain")
    until = time.monotonic() + BEGINS_WITHIN_S
    while (connection := _connection(name)) is None:
        if time.monotonic() > until:
            raise ConnectionRefusedError(f"no process that starts others answers within {BEGINS_WITHIN_S:.0f} s")
        options = ALSO if is_forked else ["--plain"]
        subprocess.run([sys.executable, "-P", "-m", "tuner.processes", name[1:], *options], env=_quiet(), check=True)
        time.sleep(_LOOKS_EVERY_S)
    connection.close()
    return Server(name)


def running_server() -> Server | None:
    """The server that a worker has begun on this node; None where there is none now."""
    if (connection := _connection(server_name())) is None:
        return None
    connection.close()
    return Server(server_name())


def _connection(name: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(name)
        if wire.is_own(connection):
            return connection
    except OSError:
        pass
    connection.close()
    return None


def _answer(control: socket.socket) -> Any:
    """The server's next message.

    Raises:
        ConnectionError: it is gone.
    """
    try:
        return wire.receive(control)[0]
    except (EOFError, OSError):
        raise ConnectionResetError("the process that starts others is gone") from None


def _quiet() -> dict[str, str]:
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
