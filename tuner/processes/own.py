"""The server that belongs to this process: a driver's, begun before anything else it does."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tuner.processes.client import Server, begin

_own: Server | None = None
_lock = threading.Lock()


def begin_own() -> None:
    """Starts to import TensorFlow in a process beside this one, if that is not done yet and can be."""
    global _own
    with _lock:
        if _own is None:
            _own = begin()


def trains_here(address: str | None) -> bool:
    """Whether trials train on this machine, with a Ray of the driver's own: no cluster is named."""
    return (address or os.environ.get("RAY_ADDRESS") or "local") == "local"


def own_server() -> Server | None:
    """The server of this process; None if it has none, or it is gone."""
    return _own if _own is not None and _own.is_alive else None


def data_name(token: str) -> str:
    """The name of the settings and data of a driver's sweep, which its own server keeps."""
    return f"sweep-{token}"


def end_own() -> None:
    """Ends it with all processes that it forked; one that is begun later starts anew."""
    global _own
    with _lock:
        server, _own = _own, None
    if server is not None:
        server.end()


@contextmanager
def owned(address: str | None, *, is_needed: bool = False) -> Iterator[None]:
    """Has a server until the end, if trials train on this machine, or it is needed for something else."""
    if is_needed or trains_here(address):
        begin_own()
    try:
        yield
    finally:
        end_own()
