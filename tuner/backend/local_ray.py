"""A Ray of our own on this machine: on loopback alone, with a token, and with files that only this user can open."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from tuner.backend import outputs
from tuner.backend.limits import check_limits
from tuner.backend.ray_folder import RayFolder
from tuner.backend.ray_token import ensure_token
from tuner.storage import SweepFolder

_MODE = "RAY_AUTH_MODE"

_folder: RayFolder | None = None
_before: dict[str, str | None] = {}
"""What the environment said before it was set for Ray."""


def start(num_cpus: int, options: Mapping[str, Any], note: Callable[[str], None]) -> None:
    """Starts it; `note` is told of what was otherwise than it should.

    Raises:
        UsageError: the token, the temporary folder or a limit of the shell is none with which Ray can start.
        ServiceError: the disk is full.
        Exception: whatever Ray raises.
    """
    global _folder
    import ray

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
            with _on_loopback(), _without_a_job_server():
                ray.init(
                    address="local",
                    num_cpus=num_cpus,
                    include_dashboard=False,
                    _temp_dir=str(folder.ray),
                    **options,
                )
        except BaseException:
            ray.shutdown()
            folder.close()
            raise
        _folder = folder
    except BaseException:
        _restore()
        raise


def begin_sweep(sweep: SweepFolder) -> None:
    """Says whose workers run from now on: the last of what they print is kept in the sweep's folder."""
    if _folder is not None:
        with suppress(OSError):
            _folder.keep_outputs_in(sweep.outputs)


def scratch_folder() -> str | None:
    """Where temporary files go that shall leave with this Ray; None for the usual place."""
    return str(_folder.path) if _folder is not None else None


def prune_outputs() -> None:
    """Bounds what trainables have printed so far; called now and then."""
    if _folder is not None:
        for logs in _folder.logs():
            with suppress(OSError):
                outputs.prune(logs)


def ended() -> None:
    """Keeps the workers' outputs, removes Ray's files, and puts the environment back; after Ray's end."""
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


@contextmanager
def _on_loopback() -> Iterator[None]:
    """Ray takes 127.0.0.1 for the node's address, and all of its processes listen there alone.

    Given as `_node_ip_address` it would be replaced by the address of an interface: other machines might join. Where
    Ray has no clusters, as on macOS by default, that does not happen, and so it is told.
    """
    from ray._private import ray_constants

    with _replaced(ray_constants, "ENABLE_RAY_CLUSTER", False):
        yield


@contextmanager
def _without_a_job_server() -> Iterator[None]:
    """Ray's agent starts as in an installation without the dashboard: without ports for jobs, logs and metrics."""
    from ray._private import utils

    with _replaced(utils, "get_dashboard_dependency_error", lambda: ImportError("not used")):
        yield


@contextmanager
def _replaced(module: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)


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
