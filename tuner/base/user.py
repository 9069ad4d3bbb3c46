"""Who works here, so that colleagues can be told whose a sweep is, and where that user's cache lies."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from pathlib import Path

LAUNCHED_BY = "TUNER_LAUNCHED_BY"
"""Set on a cluster: who launched the sweep, where its driver runs as another user."""


def this_user(environ: Mapping[str, str] = os.environ) -> str:
    """NAME@HOST of whoever starts a sweep here, or has launched it from elsewhere."""
    if launched_by := environ.get(LAUNCHED_BY):
        return launched_by
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        name = f"user-{os.getuid()}"
    return f"{name}@{socket.gethostname().partition('.')[0]}"


def are_others(one: str, other: str) -> bool:
    """Whether two users are known to be two people: the same name on two machines is one."""
    return bool(one and other) and one.partition("@")[0] != other.partition("@")[0]


def user_cache() -> Path:
    """The folder for what this user need not keep: $XDG_CACHE_HOME/tuner, which may not exist yet.

    Raises:
        RuntimeError: the user has no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tuner"
