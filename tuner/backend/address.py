"""Where Ray is: the address of a cluster, or `local`, a Ray that this process starts for itself."""

from __future__ import annotations

import os
import re

from tuner.base.errors import UsageError
from tuner.base.hints import option
from tuner.base.words import shown
from tuner.spec.reading import printable


def ray_address(address: str | None) -> str:
    """`address`, else $RAY_ADDRESS, as HOST:PORT, `auto` or `local`.

    Raises:
        UsageError: it is written otherwise.
    """
    where = option("address") if address is not None else "$RAY_ADDRESS"
    found = address if address is not None else os.environ.get("RAY_ADDRESS") or "local"
    host_port = re.fullmatch(r"([\w.-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})", found)
    if found not in ("auto", "local") and not (host_port and 0 < int(host_port[2]) < 2**16):
        rule = "must be that of a Ray cluster, such as 192.0.2.10:6379, or auto or local"
        raise UsageError(f"{where}: {rule}, but got {shown(printable(found))}")
    return found


def is_local(address: str | None) -> bool:
    """Whether this process starts Ray for itself instead of joining a cluster; raises as `ray_address`."""
    return ray_address(address) == "local"


def host_port(address: str) -> str:
    """Resolves `auto`: to a head that runs on this machine, or to the one started last, which may be gone."""
    from ray._private.services import canonicalize_bootstrap_address

    return str(canonicalize_bootstrap_address(address)) if address == "auto" else address


def has_token() -> bool:
    """Whether Ray finds a token for clusters that ask for one, in its file or in the environment."""
    return os.path.exists(os.path.expanduser("~/.ray/auth_token")) or "RAY_AUTH_TOKEN" in os.environ
