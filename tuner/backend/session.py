"""The Ray session: the one place where Ray is started or a cluster joined, and where it is left again."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from tuner.backend import local_ray, patches
from tuner.backend.address import has_token, host_port, is_local, ray_address
from tuner.backend.head import JOINS_WITHIN_S, why_silent
from tuner.backend.limits import limits_hint
from tuner.backend.nodes import cluster_nodes
from tuner.base.errors import ServiceError, TunerError
from tuner.base.hints import option
from tuner.engine.slots import local_node

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
"""Ray and Tune write no files and print nothing: the journal and our own log have it all."""

_leaving: Future[None] | None = None
"""The end of Ray's processes, from `begin_leaving` to `leave_ray`."""
_end_of_processes: Callable[[], None] | None = None
"""What is left to do once this process is disconnected from Ray."""
_OF_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Set by Ray in the drivers of its jobs, whose workers have the job's environment."""

_until_left = ExitStack()
"""What `leave_ray` undoes. Empty if the session is not ours: a program may have started Ray itself."""


def has_ray() -> bool:
    """Whether this process has joined a cluster or started Ray."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def start_ray(
    address: str | None, note: Callable[[str], None] = lambda text: None, packages: Sequence[str] = ()
) -> None:
    """Joins the cluster at `address` (or $RAY_ADDRESS), or starts Ray on this machine. A program's own Ray is used.

    Args:
        note: is told of what was wrong and has been mended.
        packages: what workers need besides our own, pinned. On this machine, and in a cluster's job, they are there.

    Raises:
        UsageError: the address is wrong, or something on this machine keeps Ray from starting.
        ServiceError: the cluster does not answer.
    """
    os.environ.update(QUIET)
    address = ray_address(address)
    import ray

    if ray.is_initialized():
        return
    _until_left.enter_context(patches.without_prints())
    _until_left.callback(_disconnect)
    try:
        if address != "local" and (why := why_silent(host_port(address), JOINS_WITHIN_S)) is not None:
            raise ServiceError(f"Ray at {address} does not answer: {why}")
        _init(address, note, packages)
    except TunerError:
        raise
    except Exception as error:  # Ray raises bare ones, too
        why = (str(error).splitlines() or [type(error).__name__])[0]
        if address == "local":
            hints = f"{_folder_hint(why)}{limits_hint()}"
            raise ServiceError(f"Ray does not start on this machine: {why}{hints}") from error
        raise ServiceError(f"Ray at {address} does not answer: {why}{_token_hint()}") from error


def leave_ray() -> None:
    """Leaves the cluster that `start_ray` joined, or ends the Ray that it started. A program's own Ray stays."""
    global _leaving
    leaving, _leaving = begin_leaving(), None
    leaving.result()


def begin_leaving() -> Future[None]:
    """Leaves Ray as `leave_ray` does, which waits for the rest: the end of Ray's processes and of their files.

    From here on nothing may use Ray.
    """
    global _leaving
    if _leaving is None:
        _until_left.close()
        thread = ThreadPoolExecutor(1, "leave-ray")  # Python's own end waits for it
        _leaving = thread.submit(_end_processes)
        thread.shutdown(wait=False)
    return _leaving


def _disconnect() -> None:
    global _end_of_processes
    _end_of_processes = patches.disconnect()


def _end_processes() -> None:
    global _end_of_processes
    end, _end_of_processes = _end_of_processes, None
    try:
        if end is not None:
            end()
    finally:
        local_ray.clean_up()


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


def _init(address: str, note: Callable[[str], None], packages: Sequence[str]) -> None:
    """Raises whatever Ray raises."""
    import ray

    is_local_ray = address == "local"
    place: AbstractContextManager[dict[str, Any]] = local_ray.prepared(note) if is_local_ray else nullcontext({})
    with _own_sigterm(), place as options:
        if packages and not is_local_ray and _OF_A_JOB not in os.environ:
            options = {**options, "runtime_env": {"pip": list(packages)}}
        try:
            ray.init(address=address, logging_level=logging.CRITICAL, log_to_driver=False, **options)
        except BaseException:
            ray.shutdown()
            raise


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keeps our handler of SIGTERM, which Ray replaces by its own; if that one raises, it is an interrupt like any."""
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


def _token_hint() -> str:
    """Ray uses a token for "auto" by itself, but for an address only if $RAY_AUTH_MODE says so."""
    needs_hint = has_token() and "RAY_AUTH_MODE" not in os.environ
    hint = f"; if the cluster asks for a token, set RAY_AUTH_MODE=token or use {option('address', 'auto')}"
    return hint if needs_hint else ""
