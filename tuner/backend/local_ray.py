"""A local Ray's surroundings: it listens on loopback only, asks for a token, and its files are this user's alone.

`session` starts and ends Ray itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tuner.backend import outputs, patches
from tuner.backend.limits import check_limits
from tuner.backend.ray_folder import RayFolder
from tuner.backend.ray_token import ensure_token
from tuner.engine.slots import local_node
from tuner.storage import SweepFolder

_MODE = "RAY_AUTH_MODE"

_folder: RayFolder | None = None
_before: dict[str, str | None] = {}
"""What the environment said before it was set for Ray."""


@contextmanager
def prepared(note: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Prepares this machine for a local Ray, which starts within; if it does not start, everything is undone.

    Args:
        note: is told of what was wrong and has been mended.

    Yields:
        The arguments of `ray.init`.

    Raises:
        UsageError: Ray cannot start with this token, temporary folder or limit of the shell.
        ServiceError: the disk is full.
    """
    global _folder
    check_limits()
    if os.environ.get(_MODE, "token").lower() != "token":
        note(
            f"{_MODE}={os.environ[_MODE]} is ignored: without a token every user of this machine could run code as you"
        )
    _remember(_MODE, "RAY_AUTH_TOKEN_PATH")
    try:
        ensure_token(note)
        folder = RayFolder()
        try:
            os.environ[_MODE] = "token"
            _reread_environment()
            with patches.on_loopback(), patches.without_helpers(), patches.without_long_naps():
                yield {
                    "num_cpus": int(local_node()["CPU"]),
                    "include_dashboard": False,
                    "_temp_dir": str(folder.ray),
                }
        except BaseException:
            folder.close()
            raise
        _folder = folder
    except BaseException:
        _restore()
        raise


def is_running() -> bool:
    """Whether this process has started a Ray of its own, all of whose workers are on this machine."""
    return _folder is not None


def begin_sweep(sweep: SweepFolder) -> None:
    """From now on, the last of what workers print is kept in this sweep's folder."""
    if _folder is not None:
        with suppress(OSError):
            _folder.keep_outputs_in(sweep.outputs)


def scratch_folder() -> str | None:
    """Where temporary files go that are removed with this Ray; None for the usual place."""
    return str(_folder.path) if _folder is not None else None


def prune_outputs() -> None:
    """Bounds what trainables have printed so far; called now and then."""
    if _folder is not None:
        for logs in _folder.logs():
            with suppress(OSError):
                outputs.prune(logs)


def clean_up() -> None:
    """After Ray's end: keeps the workers' outputs, removes Ray's files, and restores the environment."""
    if _folder is not None:
        close_files()
        _restore()


def close_files() -> None:
    """Keeps the workers' outputs and removes Ray's files."""
    global _folder
    if _folder is not None:
        folder, _folder = _folder, None
        with suppress(OSError):
            folder.close()


def _remember(*names: str) -> None:
    _before.update({name: os.environ.get(name) for name in names})


def _restore() -> None:
    """The environment as it was: this process may join a cluster without a token next."""
    for name, text in _before.items():
        if text is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = text
    _before.clear()
    _reread_environment()


def _reread_environment() -> None:
    """Ray's C++ part has read it at its first use."""
    if "ray._raylet" in sys.modules:
        raylet: Any = sys.modules["ray._raylet"]
        raylet.Config.initialize("")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
