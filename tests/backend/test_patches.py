"""What is changed in Ray's own code, with the real Ray: in place within the block, and gone after it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tuner.backend import patches
from tuner.backend.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def places() -> dict[str, tuple[Any, str]]:
    from ray._private import ray_constants, services, utils, worker
    from ray.air._internal import usage
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.tune.execution import class_cache

    return {
        "on_loopback": (ray_constants, "ENABLE_RAY_CLUSTER"),
        "without_helpers": (utils, "get_dashboard_dependency_error"),
        "without_long_naps": (services, "get_node"),
        "without_prints": (worker, "print_to_stdstream"),
        "without_counts_of_callbacks": (usage, "tag_callbacks"),
        "with_slim_actors": (class_cache._ActorClassCache, "get"),
        "with_memory_kills_as_deaths": (RayActorManager, "_actor_task_failed"),
    }


def test_each_is_in_place_within_its_block_and_gone_after_an_error() -> None:
    for name, (owner, attribute) in places().items():
        patch: Callable[..., AbstractContextManager[None]] = getattr(patches, name)
        arguments = (Worker, None) if name == "with_slim_actors" else ()
        before = getattr(owner, attribute)
        with pytest.raises(RuntimeError), patch(*arguments):
            during = getattr(owner, attribute)
            assert during is not before, name
            raise RuntimeError
        assert getattr(owner, attribute) is before, name


def test_tune_hears_of_a_memory_kill_as_of_a_death() -> None:
    from ray.air.execution._internal.actor_manager import RayActorManager
    from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

    heard: list[Exception] = []
    before = RayActorManager._actor_task_failed
    RayActorManager._actor_task_failed = lambda self, task, exception: heard.append(exception)
    try:
        with patches.with_memory_kills_as_deaths():
            for error in (OutOfMemoryError("no room"), RayTaskError("f", "trace", ValueError()), KeyError()):
                RayActorManager._actor_task_failed(None, None, error)
    finally:
        RayActorManager._actor_task_failed = before
    assert [type(error) for error in heard] == [RayActorError, RayTaskError, KeyError]
    assert "OutOfMemoryError: no room" in str(heard[0])
