"""What a driver looks after while trials run: the cluster's size, hanging workers, the clock, outputs and metrics."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import ray

from tuner.backend import local_ray
from tuner.backend.growth import Demand
from tuner.backend.nodes import cluster_nodes
from tuner.backend.telemetry import Telemetry
from tuner.engine.coordinator import Coordinator
from tuner.engine.slots import Slot
from tuner.engine.turns import Turns

LOOK_EVERY_S = 3.0


@contextmanager
def watched(
    coordinator: Coordinator, turns: Turns, slot: Slot, failed: Callable[[BaseException], None]
) -> Iterator[None]:
    """Looks after a running sweep in a thread.

    Args:
        failed: is told there of an error that ends the watch.
    """
    left = threading.Event()
    demand, telemetry = Demand(slot), Telemetry(coordinator)

    def look() -> None:
        found = cluster_nodes()
        slots = slot.count(found)
        coordinator.set_slots(slots, slot.lacking(found))
        coordinator.look_at_clock()
        demand.update(slots, coordinator.wanted_slots)
        turns.look_at_memory_kills()
        for actor in turns.hanging(LOOK_EVERY_S):
            ray.kill(actor, no_restart=True)
        local_ray.prune_outputs()
        with suppress(Exception):  # nothing that trains depends on it
            telemetry.update()

    def watch() -> None:
        while not left.wait(LOOK_EVERY_S):
            try:
                look()
            except ray.exceptions.RayError:
                continue  # the cluster is busy with itself
            except BaseException as error:
                failed(error)
                return

    thread = threading.Thread(target=watch, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join(LOOK_EVERY_S)
        with suppress(Exception):
            telemetry.update()
        with suppress(ray.exceptions.RayError):
            demand.withdraw()
