"""A process that forks trials of a loop that uses Keras: TensorFlow is imported in it, and nothing else has happened.

For each trial it forks a warden, which forks the process that runs the loop.
"""

from __future__ import annotations

import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from trainables.scripts import child, warden

_NUMBER_BYTES = 8


@dataclass(frozen=True)
class Wanted:
    """A trial's process, as `ScriptProcess` starts one; `job` is the file of its `Job`."""

    job: str
    work_folder: str
    environment: Mapping[str, str] = field(repr=False)
    scratch: str
    grace_s: float


class Forker:
    """Forks the process at once, which must come before this one has threads. It ends with this one.

    Args:
        unwanted: what that process must not hold open.
    """

    def __init__(self, unwanted: Sequence[socket.socket] = ()) -> None:
        self._connection, theirs = socket.socketpair()
        if not os.fork():
            try:
                for own in (self._connection, *unwanted):
                    own.close()
                serve(theirs)
            finally:
                os._exit(1)
        theirs.close()

    @classmethod
    def at(cls, connection: socket.socket) -> Forker:
        """One at the other end of a connection, where a process calls `serve`."""
        made = cls.__new__(cls)
        made._connection = connection
        return made

    def start(self, wanted: Wanted, files: Sequence[int]) -> ForkedWarden:
        """A warden that has these files, as it takes them.

        Raises:
            OSError: the process that forks is gone.
        """
        content = pickle.dumps(wanted)
        life, lives = os.pipe()
        try:
            socket.send_fds(self._connection, [len(content).to_bytes(_NUMBER_BYTES, "big")], [*files, lives])
            self._connection.sendall(content)
            pid = int.from_bytes(_exactly(self._connection, _NUMBER_BYTES), "big")
        except BaseException:
            os.close(life)
            raise
        finally:
            os.close(lives)
        return ForkedWarden(pid, life)

    def close(self) -> None:
        """Ends the process. Trials go on."""
        self._connection.close()


class ForkedWarden:
    """A warden that is no child of this process, as `subprocess` has those that are.

    Args:
        life: can be read once the warden has ended.
    """

    def __init__(self, pid: int, life: int) -> None:
        self._pid, self._life = pid, life

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        if self._life >= 0:
            if not select.select([self._life], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("warden", timeout or 0.0)
            self.forget()
        return 0

    def kill(self) -> None:
        """Sends SIGKILL to it."""
        if self._life >= 0:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def forget(self) -> None:
        """Closes what tells its end."""
        if self._life >= 0:
            os.close(self._life)
        self._life = -1


def serve(connection: socket.socket) -> NoReturn:
    """Forks what is asked for, until nobody can ask."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that end are not waited for
    while True:
        number, files, _, _ = socket.recv_fds(connection, _NUMBER_BYTES, 16)
        if not number:
            os._exit(0)
        wanted: Wanted = pickle.loads(_exactly(connection, int.from_bytes(number, "big")))
        pid = os.fork()
        if not pid:
            _become_warden(connection, wanted, files)
        for file in files:
            os.close(file)
        connection.sendall(pid.to_bytes(_NUMBER_BYTES, "big"))


def _become_warden(connection: socket.socket, wanted: Wanted, files: Sequence[int]) -> NoReturn:
    try:
        connection.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()  # it outlives the trainer, to end the loop in order
        os.environ.clear()
        os.environ.update(wanted.environment)
        os.chdir(wanted.work_folder)
        control, status, reports, answers, lives = files
        run = partial(child.run_in_fork, wanted.job)
        warden.main(control, status, reports, answers, wanted.grace_s, run, (lives,))
    finally:
        shutil.rmtree(wanted.scratch, ignore_errors=True)
        os._exit(0)


def _exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes.

    Raises:
        ConnectionError: the other end is closed.
    """
    content = bytearray()
    while len(content) < size:
        if not (part := connection.recv(size - len(content))):
            raise ConnectionResetError("the process that forks trials is gone")
        content += part
    return bytes(content)
