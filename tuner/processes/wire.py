"""Objects and open files through a Unix socket, between processes of one user."""

from __future__ import annotations

import array
import os
import pickle
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!Q")
_FILES_MAX = 16


def send(connection: socket.socket, message: Any, files: Sequence[int] = ()) -> None:
    """Sends an object, and open files with it.

    Raises:
        OSError: the other side is gone.
    """
    content = pickle.dumps(message, protocol=5)
    header = _LENGTH.pack(len(content))
    if files:
        sent = socket.send_fds(connection, [header], list(files))
        header = header[sent:]
    connection.sendall(header + content if len(content) < 1 << 20 else header)
    if len(content) >= 1 << 20:
        connection.sendall(content)


def receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """The next object, and the files that came with it, which are the caller's to close.

    Raises:
        EOFError: the other side is gone.
    """
    try:
        header, files = _receive_header(connection)
        content = _exactly(connection, _LENGTH.unpack(header)[0])
    except (ConnectionError, BrokenPipeError) as error:
        raise EOFError from error
    return pickle.loads(content), files


def is_own(connection: socket.socket) -> bool:
    """Whether the process on the other side is the same user's."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", found)
    return bool(uid == os.getuid())


def _receive_header(connection: socket.socket) -> tuple[bytes, list[int]]:
    files = array.array("i")
    header, ancillary, _, _ = connection.recvmsg(
        _LENGTH.size, socket.CMSG_LEN(_FILES_MAX * files.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    if not header:
        raise EOFError
    return header + _exactly(connection, _LENGTH.size - len(header)), list(files)


def _exactly(connection: socket.socket, count: int) -> bytes:
    content = bytearray(count)
    view, got = memoryview(content), 0
    while got < count:
        if not (more := connection.recv_into(view[got:])):
            raise EOFError
        got += more
    return bytes(content)
