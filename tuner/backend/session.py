"""The Ray session: joining a cluster or starting Ray on this machine, what its nodes have, and leaving it again."""

from __future__ import annotations

import functools
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tuner.backend import local_ray
from tuner.backend.head import JOINS_WITHIN_S, why_silent
from tuner.backend.limits import limits_hint
from tuner.base.errors import ServiceError, TunerError, UsageError
from tuner.base.words import shown
from tuner.engine.slots import local_node
from tuner.spec.reading import printable

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files a trial: the journal has it all
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",  # Tune's own snapshots are not used
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",  # the Searcher says when the slots are full
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_FORCE_TRIAL_CLEANUP_S": "5",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


_is_ours = False
"""Whether this process's connection to Ray was made here, and so ends with a sweep; a program may have its own."""

_printing: list[Any] = []
"""Ray's own function that prints what workers print, while ours stands in its place."""

NODE_TYPES = "TUNER_NODE_TYPES"
"""The environment's word for the nodes that an autoscaler may add: a JSON list, see `growth.slots_at_most`."""


def cluster_nodes() -> list[dict[str, float]]:
    """The resources of every node that is alive."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def this_node() -> dict[str, float]:
    """The resources of the node that this worker is on."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    return next((node["Resources"] for node in ray.nodes() if node["NodeID"] == here), {})


def node_address() -> str:
    """The address of this process's node; of a Ray of our own, which is on loopback alone, that of the machine."""
    import ray
    from ray._common.network_utils import is_localhost

    address = str(ray.util.get_node_ip_address())
    return _machine_address() if is_localhost(address) else address


@functools.cache
def _machine_address() -> str:
    from ray._common.network_utils import node_ip_address_from_perspective

    return str(node_ip_address_from_perspective())


def head_address() -> str:
    """HOST:PORT of the joined or started cluster's head."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def num_hosts() -> int:
    """How many machines the joined cluster has; several nodes of one machine share its files."""
    import ray

    return len({node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]})


def nodes_of(address: str | None) -> list[dict[str, float]]:
    """The nodes of the cluster at `address` (or $RAY_ADDRESS), or this machine; leaves the cluster again.

    Raises:
        ServiceError: the cluster does not answer.
    """
    if is_local(address):
        return [local_node()]
    try:
        start_ray(address)
        return cluster_nodes()
    finally:
        leave_ray()


def ray_address(address: str | None) -> str:
    """Where Ray is: `address`, else $RAY_ADDRESS, as HOST:PORT or `auto`; `local` is one of our own on this machine.

    Raises:
        UsageError: it is written otherwise.
    """
    where = "--address" if address is not None else "$RAY_ADDRESS"
    found = address if address is not None else os.environ.get("RAY_ADDRESS") or "local"
    host_port = re.fullmatch(r"([\w.-]+|\[[0-9A-Fa-f:.%]+\]):(\d{1,5})", found)
    if found not in ("auto", "local") and not (host_port and 0 < int(host_port[2]) < 2**16):
        rule = "must be that of a Ray cluster, such as 192.0.2.10:6379, or auto or local"
        raise UsageError(f"{where}: {rule}, but got {shown(printable(found))}")
    return found


def is_local(address: str | None) -> bool:
    """Whether Ray is one of our own on this machine rather than a cluster to join; raises as `ray_address`."""
    return ray_address(address) == "local"


def start_ray(address: str | None, note: Callable[[str], None] = lambda text: None) -> None:
    """Joins the cluster at `address` (or $RAY_ADDRESS), or starts Ray on this machine.

    Args:
        note: is told of what was otherwise than it should, and was mended.

    Raises:
        UsageError: it is no such address, or something on this machine keeps Ray from starting.
        ServiceError: the cluster does not answer.
    """
    global _is_ours
    os.environ.update(QUIET)
    address = ray_address(address)
    import ray

    if ray.is_initialized():
        return
    _is_ours = True

    # Ray's words on dead workers, in colours on standard output, whatever `log_to_driver` says: they are in our own log
    _printing.append(ray._private.worker.print_to_stdstream)
    ray._private.worker.print_to_stdstream = lambda data, ignore_prefix: None
    options: dict[str, Any] = {"logging_level": logging.CRITICAL, "log_to_driver": False}
    try:
        if address != "local" and (why := why_silent(_host_port(address), JOINS_WITHIN_S)) is not None:
            raise ServiceError(f"Ray at {address} does not answer: {why}")
        with _own_sigterm():
            if address == "local":
                local_ray.start(int(local_node()["CPU"]), options, note)
            else:
                ray.init(address=address, **options)
    except TunerError:
        raise
    except Exception as error:  # Ray raises bare ones, too
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if address == "local":
            raise ServiceError(
                f"Ray does not start on this machine: {why}{_folder_hint(why)}{limits_hint()}"
            ) from error
        raise ServiceError(f"Ray at {address} does not answer: {why}{_token_hint()}") from error


def has_ray() -> bool:
    """Whether this process has joined a cluster or started Ray."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def _host_port(address: str) -> str:
    """Where `auto` leads: to a head that runs here, or to the one that was started last, which may be gone."""
    from ray._private.services import canonicalize_bootstrap_address

    return str(canonicalize_bootstrap_address(address)) if address == "auto" else address


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray puts handlers of its own in place of ours; what they raise is an interrupt as any other."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as left:
        raise KeyboardInterrupt from left
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _folder_hint(why: str) -> str:
    """Ray's sockets lie below $RAY_TMPDIR, else $TMPDIR, and a socket's path is short."""
    return "; set RAY_TMPDIR to a folder with a shorter path, such as /tmp" if "path length" in why else ""


def has_token() -> bool:
    """Whether Ray finds a token for clusters that ask for one, in its file or in the environment."""
    return os.path.exists(os.path.expanduser("~/.ray/auth_token")) or "RAY_AUTH_TOKEN" in os.environ


def _token_hint() -> str:
    """Ray uses a token for "auto" by itself, but for an address only when told to; without need it must not."""
    needs_hint = has_token() and "RAY_AUTH_MODE" not in os.environ
    return "; if the cluster asks for a token, set RAY_AUTH_MODE=token or use --address auto" if needs_hint else ""


def storage_environment() -> dict[str, str]:
    """What this process's environment says of object stores, for workers on other nodes."""
    names = (name for name in os.environ if name.startswith(("AWS_", "FSSPEC_")) or name == "GOOGLE_CLOUD_PROJECT")
    return {name: os.environ[name] for name in names}


def leave_ray() -> None:
    """Leaves the cluster that `start_ray` joined; a Ray of our own ends with that. A program's own Ray stays."""
    global _is_ours
    if _is_ours and "ray" in sys.modules:
        ray = sys.modules["ray"]
        ray.shutdown()
        while _printing:
            ray._private.worker.print_to_stdstream = _printing.pop()
    _is_ours = False
    local_ray.ended()
