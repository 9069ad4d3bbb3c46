"""What is changed in Ray's own code, each for as long as it is needed, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuner.base.secrets import is_secret


@contextmanager
def on_loopback() -> Iterator[None]:
    """Ray takes 127.0.0.1 for the node's address, and all of its processes listen there only.

    If the address were given as `_node_ip_address`, Ray would replace it with that of an interface, and other machines
    could join. Ray does not do so where it has no clusters, as on macOS by default; this tells it that it has none.
    """
    from ray._private import ray_constants

    with _replaced(ray_constants, "ENABLE_RAY_CLUSTER", False):
        yield


@contextmanager
def without_job_server() -> Iterator[None]:
    """Ray's agent starts as in an installation without the dashboard: no ports for jobs, logs and metrics."""
    from ray._private import utils

    with _replaced(utils, "get_dashboard_dependency_error", lambda: ImportError("not used")):
        yield


@contextmanager
def without_prints() -> Iterator[None]:
    """Ray prints nothing about dead workers, which it does in colours whatever `log_to_driver` says."""
    from ray._private import worker

    with _replaced(worker, "print_to_stdstream", lambda data, ignore_prefix: None):
        yield


@contextmanager
def without_secrets_in_environments() -> Iterator[None]:
    """Tune does not copy AWS keys into the runtime environments of its actors, which Ray logs and shows.

    Workers get them with their settings instead.
    """
    from ray.tune.execution import class_cache

    names = {name for name in class_cache.ENV_VARS_TO_PROPAGATE if not is_secret(name, "")}
    with _replaced(class_cache, "ENV_VARS_TO_PROPAGATE", names):
        yield


@contextmanager
def with_memory_kills_as_deaths() -> Iterator[None]:
    """Tune learns of a worker that Ray's memory monitor killed as of any dead worker.

    The monitor's OutOfMemoryError is no RayActorError, so Tune would take it for a fault of its own and stop.
    """
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import RayActorError, RayError, RayTaskError

    original = RayActorManager._actor_task_failed

    def actor_task_failed(self: Any, tracked_actor_task: Any, exception: Exception) -> None:
        if isinstance(exception, RayError) and not isinstance(exception, RayActorError | RayTaskError):
            text = f"{type(exception).__name__}: {exception}"
            exception = RayActorError(error_msg=text)
        original(self, tracked_actor_task, exception)

    with _replaced(RayActorManager, "_actor_task_failed", actor_task_failed):
        yield


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)
