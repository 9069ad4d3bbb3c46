"""Limits of the shell (`ulimit`, a batch system) under which Ray does not start. Ray itself would wait for half a
minute, then say that a node timed out.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import psutil

from tuner.base.errors import UsageError

GI = 2**30
BESIDE_THE_STORE_BYTES = int(2.25 * GI)
"""What Ray's processes and TensorFlow map besides Ray's object store. With 2 GiB, TensorFlow cannot be imported."""
FILES = 64
"""Ray's head holds 62 on a machine of two CPUs; it fails with 48."""
THREADS = 170
"""Of Ray's own processes, without workers (measured: 171 on a machine of two CPUs)."""

_NAMES = {
    "RLIMIT_AS": ("ulimit -v", GI, "GiB"),
    "RLIMIT_DATA": ("ulimit -d", GI, "GiB"),
    "RLIMIT_FSIZE": ("ulimit -f", GI, "GiB"),
    "RLIMIT_NOFILE": ("ulimit -n", 1, "files"),
    "RLIMIT_NPROC": ("ulimit -u", 1, "threads"),
    "RLIMIT_CPU": ("ulimit -t", 1, "s"),
}
_HINTED_BELOW = {"RLIMIT_NOFILE": 4096, "RLIMIT_NPROC": 4096, "RLIMIT_CPU": 86400}
"""A limit is mentioned only below these: systems set some for everybody, far above what Ray needs."""


def check_limits() -> None:
    """Refuses limits with which Ray certainly fails.

    Raises:
        UsageError: names each of them, what is needed, and what was found.
    """
    if problems := list(_problems()):
        raise UsageError(f"Ray cannot start on this machine: {'; '.join(problems)}")


def limits_hint() -> str:
    """Names the limits that are set, any of which may explain a failure; empty if there are none."""
    found = [_shown(name, limit) for name in _NAMES if (limit := _limit(name)) is not None]
    return f". Limits of this shell, of which one may be the reason: {', '.join(found)}" if found else ""


def _problems() -> Iterator[str]:
    store = _store_bytes() if _limit("RLIMIT_AS") or _limit("RLIMIT_FSIZE") else 0
    needed = {
        "RLIMIT_AS": store + BESIDE_THE_STORE_BYTES,
        "RLIMIT_FSIZE": store,
        "RLIMIT_NOFILE": FILES,
        "RLIMIT_NPROC": THREADS,
    }
    for name, least in needed.items():
        limit = _limit(name, least)
        used = _threads() if name == "RLIMIT_NPROC" and limit is not None else 0
        if limit is not None and limit - used < least:
            command, unit, word = _NAMES[name]
            has = f"{limit / unit:.3g}, of which {used} are in use" if used else f"{limit / unit:.3g} {word}"
            yield f"{name} ({command}) must be at least {-(-(least + used) // unit)} {word}, but is {has}"


def _limit(name: str, least: int | None = None) -> int | None:
    """The limit, if it is set and low enough to mention. Ray itself raises the soft limit of files."""
    soft, hard = resource.getrlimit(getattr(resource, name))
    limit = hard if name == "RLIMIT_NOFILE" else soft
    if limit == resource.RLIM_INFINITY or (name == "RLIMIT_NPROC" and os.geteuid() == 0):
        return None
    return None if least is None and limit >= _HINTED_BELOW.get(name, limit + 1) else limit


def _shown(name: str, limit: int) -> str:
    command, unit, word = _NAMES[name]
    return f"{name} ({command}) {limit / unit:g} {word}"


def _store_bytes() -> int:
    """What Ray will take for its object store."""
    from ray._private import utils

    return int(utils.resolve_object_store_memory(utils.estimate_available_memory()))


def _threads() -> int:
    """The user's threads, which count against the limit."""
    total = 0
    for process in psutil.process_iter(["uids", "num_threads"]):
        uids = process.info["uids"]
        if uids is not None and uids.real == os.getuid():
            total += process.info["num_threads"] or 0
    return total
