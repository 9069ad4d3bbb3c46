"""What is changed in Ray's own code, each for as long as it is needed, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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
def with_slim_actors(actor: type, common: Any) -> Iterator[None]:
    """Tune's actors are of this class, called with `config` and `common`, and have no runtime environment.

    Unpickling a Trainable, or what Tune hands to one, imports Ray Tune: half a second of each worker. A runtime
    environment keeps Ray from taking a worker process that it has started ahead, and would hold AWS keys, which Ray
    logs and shows; workers get them with their settings instead.
    """
    import ray
    from ray.tune.execution import class_cache, tune_controller

    remote = ray.remote(actor)

    def arguments(trial: Any) -> dict[str, Any]:
        trial.init_local_path()
        return {"config": {"assignment": trial.config["assignment"]}, "common": common}

    with (
        _replaced(class_cache._ActorClassCache, "get", lambda self, trainable: remote),
        _replaced(tune_controller, "_get_trainable_kwargs", arguments),
    ):
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
