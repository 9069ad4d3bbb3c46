"""What is changed in Ray's own code, each for as long as it is needed, with the reason."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NODE_STARTS_WITHIN_S = 10.0
"""If it does not, Ray waits for it in its own way, and says why it fails."""


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
def without_helpers() -> Iterator[None]:
    """A local Ray consists of its two servers and its workers.

    Its autoscaler has no nodes to start, its log monitor nobody to show outputs to, its API server no dashboard; the
    two agents are replaced (see `idle_agent`). All five would import Ray before the first worker, and the autoscaler
    takes a second to end. Nor does Ray start a worker for each CPU and wait for all of them: a slot starts its own.
    """
    from ray._private import node, ray_constants, services, utils

    build, start = services._build_python_executable_command_memory_profileable, services.start_ray_process
    agents = (ray_constants.PROCESS_TYPE_DASHBOARD_AGENT, ray_constants.PROCESS_TYPE_RUNTIME_ENV_AGENT)

    def build_command(component: str, *args: Any, **options: Any) -> list[str]:
        if component in agents:
            return [sys.executable, "-I", "-S", str(Path(__file__).with_name("idle_agent.py"))]
        return list(build(component, *args, **options))

    def start_process(command: list[str], *args: Any, **options: Any) -> Any:
        without = [word for word in command if not word.startswith("--num_prestart_python_workers=")]
        return start(without, *args, **options)

    def start_no_server(self: Any, **options: Any) -> None:
        self._webui_url = ""

    with (
        _replaced(node.Node, "start_monitor", lambda self: None),
        _replaced(node.Node, "start_log_monitor", lambda self: None),
        _replaced(node.Node, "start_api_server", start_no_server),
        _replaced(utils, "get_dashboard_dependency_error", lambda: ImportError("not used")),  # else it imports them
        _replaced(services, build.__name__, build_command),
        _replaced(services, start.__name__, start_process),
    ):
        yield


@contextmanager
def without_long_naps() -> Iterator[None]:
    """Ray asks for its own node once it is there. If asked before, its C++ part looks again only after a second."""
    from ray._private import services
    from ray._private.state import GlobalState

    original = services.get_node

    def get_node(gcs_address: str, node_id: str) -> Any:
        state = GlobalState()
        state._initialize_global_state(services._get_gcs_client_options(gcs_address))
        until = time.monotonic() + NODE_STARTS_WITHIN_S
        while time.monotonic() < until and all(node["NodeID"] != node_id for node in state.node_table()):
            time.sleep(0.02)
        return original(gcs_address, node_id)

    with _replaced(services, "get_node", get_node):
        yield


def disconnect() -> Callable[[], None]:
    """Does what `ray.shutdown` does, but for the end of the processes that `ray.init` started: the result is that.

    Ray waits a second and more for them, in which a driver has other things to do. The rest is done here: a handle of
    an actor that is dropped meanwhile, by whichever thread collects garbage, makes Ray end the process.
    """
    import ray
    from ray._private import worker

    node, worker._global_node = worker._global_node, None
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        ray.shutdown()
    finally:
        if was_enabled:
            gc.enable()

    def end_processes() -> None:
        if node is not None:
            if node.is_head():
                node.destroy_external_storage()
            node.kill_all_processes(check_alive=False, allow_graceful=True)

    return end_processes


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
        return {"config": {name: trial.config[name] for name in ("assignment", "ahead")}, "common": common}

    with (
        _replaced(class_cache._ActorClassCache, "get", lambda self, trainable: remote),
        _replaced(tune_controller, "_get_trainable_kwargs", arguments),
    ):
        yield


@contextmanager
def without_counts_of_callbacks() -> Iterator[None]:
    """Tune does not count callbacks by kind for Ray's usage reports, which are off.

    To tell the kinds apart it would import MLflow, for seconds, before the first trial.
    """
    from ray.air._internal import usage

    with _replaced(usage, "tag_callbacks", lambda callbacks: False):
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
