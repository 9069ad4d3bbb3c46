"""How far a cluster may grow, and how its autoscaler learns that trials need room."""

from __future__ import annotations

import json
import os
from typing import Any

from tuner.backend import nodes
from tuner.base.errors import UsageError
from tuner.engine.slots import Slot, require_room

NODE_TYPES = "TUNER_NODE_TYPES"
"""The variable that names the nodes an autoscaler may add: a JSON list, see `slots_at_most`."""
ASKED_AT_LEAST = 8
"""How many slots are asked for beyond the existing ones. A larger cluster may double, as autoscalers let it."""
_EXAMPLE = '[{"CPU": 8, "GPU": 1, "nodes": 10}]'


def slots_at_most(slot: Slot) -> int | None:
    """How many trials fit once every node that may join has joined; None if nobody said which nodes may.

    Raises:
        UsageError: $TUNER_NODE_TYPES is not such a list.
    """
    written = os.environ.get(NODE_TYPES)
    if not written:
        return None
    try:
        types = [{key: float(value) for key, value in kind.items()} for kind in json.loads(written)]
        return sum(slot.count([kind]) * int(kind["nodes"]) for kind in types)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        raise UsageError(f"{NODE_TYPES} must be a list such as {_EXAMPLE}, but got {written!r}") from error


def check_room(slot: Slot) -> None:
    """Refuses a sweep whose trials fit on no node of the joined cluster, nor on one that may join it.

    Raises:
        UsageError: no node has room for one trial.
    """
    at_most = slots_at_most(slot)
    slots = slot.count(nodes.cluster_nodes())
    if slots == 0 and (at_most == 0 or (at_most is None and not has_autoscaler())):
        require_room(slot, slots)


def has_autoscaler() -> bool:
    """Whether the joined cluster has an autoscaler: its nodes then name their type."""
    import ray

    return any(node["Alive"] and node.get("Labels", {}).get("ray.io/node-group") for node in ray.nodes())


def slots_to_ask(slots: int, wanted: int, at_most: int | None) -> int:
    """How many slots an autoscaler should add."""
    limit = wanted if at_most is None else min(wanted, at_most)
    return max(0, min(limit - slots, max(ASKED_AT_LEAST, slots)))


class Demand:
    """Placement groups of a slot's size that wait for room, which shows an autoscaler how much is missing.

    A group that gets room gives it back at once, and all others are withdrawn until the next look, because they have
    waited longer than the trial that is to take the room. Unlike requests of `ray.autoscaler.sdk.request_resources`,
    the groups end with the driver, however it ends.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self._is_wanted = has_autoscaler()
        self._at_most = slots_at_most(slot)
        self._groups: list[Any] = []

    def update(self, slots: int, wanted: int) -> None:
        """Asks for exactly what is missing now."""
        if not self._is_wanted:
            return
        from ray.util import placement_group, placement_group_table, remove_placement_group

        waiting = [group for group in self._groups if placement_group_table(group)["state"] == "PENDING"]
        missing = slots_to_ask(slots, wanted, self._at_most) if len(waiting) == len(self._groups) else 0
        for group in [group for group in self._groups if group not in waiting[:missing]]:
            remove_placement_group(group)
        self._groups = waiting[:missing]
        while len(self._groups) < missing:
            self._groups.append(placement_group([self._slot.bundle]))

    def withdraw(self) -> None:
        """Asks for nothing from now on."""
        self.update(0, 0)
