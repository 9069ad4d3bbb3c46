"""Whether a Ray head answers: checked before it is joined, and while a sweep runs on it.

Ray itself searches for minutes for a head that is not there. A minute after it has lost one, it ends its driver from
C++, without a message.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

JOINS_WITHIN_S = 10.0
"""A head that answers within this time can be joined."""
LOOK_EVERY_S = 3.0
ANSWERS_WITHIN_S = 2.0
MISSES_AT_MOST = 8
"""After so many looks without an answer, which take 24 to 40 s, the head counts as gone. Ray waits 60 s."""

_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""An HTTP/2 frame: length 0, type 4."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS
"""How a gRPC client begins; a server answers with its settings."""


def why_silent(address: str, timeout_s: float) -> str | None:
    """Why no Ray head answers at HOST:PORT; None if one does."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout_s) as connection:
            connection.settimeout(timeout_s)
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return None  # Ray itself checks its certificates
            connection.sendall(_HELLO)
            answer = connection.recv(len(_SETTINGS), socket.MSG_WAITALL)
    except TimeoutError:
        return f"no answer within {timeout_s:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None if answer[3:4] == _SETTINGS[3:4] else "what is there is no head of Ray's"


@contextmanager
def watched(address: str, lost: Callable[[str], None]) -> Iterator[None]:
    """Watches a head in a thread; `lost` is called there, once, with the reason, when the head is gone for good."""
    left = threading.Event()

    def watch() -> None:
        misses = 0
        while not left.wait(LOOK_EVERY_S):
            why = why_silent(address, ANSWERS_WITHIN_S)
            misses = misses + 1 if why is not None else 0
            if misses >= MISSES_AT_MOST and not left.is_set():  # a look may take long
                lost(f"Ray's head at {address} is gone: {why}")
                return

    thread = threading.Thread(target=watch, name="head", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
