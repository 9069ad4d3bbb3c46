"""Whether Ray's own process on this machine lives. Once it is gone, Ray ends its driver within seconds, from C++, with
exit code 1 and without a message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil

LOOK_EVERY_S = 0.5


@contextmanager
def watched(lost: Callable[[str], None]) -> Iterator[None]:
    """Watches it in a thread; `lost` is called there, once, with the reason, when it is gone."""
    left = threading.Event()
    raylet = _raylet()

    def watch() -> None:
        while not left.wait(LOOK_EVERY_S):
            if not _lives(raylet):
                lost("Ray's process on this machine is gone")
                return

    if raylet is not None:
        threading.Thread(target=watch, name="raylet", daemon=True).start()
    try:
        yield
    finally:
        left.set()


def _raylet() -> psutil.Process | None:
    """The process that this driver is connected to; None if it cannot be seen."""
    import ray

    socket = f"--raylet_socket_name={ray._private.worker.global_worker.node.raylet_socket_name}"
    found = psutil.process_iter(["cmdline"])
    return next((process for process in found if socket in (process.info["cmdline"] or ())), None)


def _lives(process: psutil.Process | None) -> bool:
    """Whether it runs; a killed child process of ours is a zombie."""
    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
