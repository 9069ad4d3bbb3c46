"""Whether the trials of a sweep fit the node types of a cluster file, and how many run at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.cluster.sizes import max_workers
from tuner.engine.slots import Slot
from tuner.spec import SweepSpec

TOLERATED_IDLE = 0.05
"""The part of a GPU that packed trials may leave idle: 0.33 is meant to be a third."""


@dataclass(frozen=True)
class Capacity:
    """What a cluster has for a sweep."""

    slots: int | None
    """Trials that run at the same time on the whole cluster; None if machines have no stated size."""
    problems: list[str]
    warnings: list[str]


def capacity(spec: SweepSpec, cluster: Mapping[str, Any]) -> Capacity:
    """Compares the resources of a spec with the node types of an otherwise valid file."""
    slot = Slot.of(spec.resources)
    known, counts, missing = _machines(cluster)
    problems = idle_card_problems(spec)
    warnings: list[str] = []
    fitting = {name: slot.count([node]) for name, node in known.items()}
    for name, node in known.items():
        warnings += _idle_parts(slot, node, name) if counts[name] and fitting[name] else []
    slots = _most(fitting, counts, cluster)
    if missing:
        return Capacity(None, problems, warnings)
    if slots == 0:
        has = "; ".join(f"{k}: {v['CPU']:g} CPUs, {v['GPU']:g} GPUs" for k, v in known.items() if counts[k])
        takes = f"a trial takes {slot.cpus:g} CPUs and {slot.gpus:g} GPUs"
        problems.append(f"resources: {takes}, but no node type has as many ({has or 'there are none'})")
    return Capacity(slots, problems, warnings)


def idle_card_problems(spec: SweepSpec) -> list[str]:
    """A fraction of a GPU that does not divide a whole one."""
    slot = Slot.of(spec.resources)
    if not 0 < slot.gpus < 1:
        return []
    packed = slot.per_card
    idle = 1 - packed * slot.gpus
    if idle <= TOLERATED_IDLE + 1e-9:
        return []
    trials = "1 trial fits" if packed == 1 else f"{packed} trials fit"
    return [
        f"resources.gpus_per_trial: must add up to a whole card, but {trials} on one with {slot.gpus:g} each, and"
        f" {idle:.2g} of it stays idle; take {_text(1 / packed)} or {_text(1 / (packed + 1))}"
    ]


def _machines(cluster: Mapping[str, Any]) -> tuple[dict[str, dict[str, float]], dict[str, int], list[str]]:
    """The resources of each node type that states them, the highest number of its nodes, and the types that do not."""
    head = cluster.get("head_node_type")
    known: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    missing = [] if cluster.get("available_node_types") else ["provider"]  # machines of one's own
    for name, node in (cluster.get("available_node_types") or {}).items():
        counts[name] = max_workers(cluster, name) + (name == head)
        resources = node.get("resources") or {}
        if "CPU" in resources:
            known[name] = {"CPU": resources["CPU"], "GPU": resources.get("GPU", 0)}
        elif counts[name]:
            missing.append(name)
    return known, counts, missing


def _most(fitting: Mapping[str, int], counts: Mapping[str, int], cluster: Mapping[str, Any]) -> int:
    """The slots of the head, of the minimum of workers, and of the best further workers within the cluster's limit."""
    always = {name: cluster["available_node_types"][name].get("min_workers", 0) for name in fitting}
    head, left = cluster.get("head_node_type"), cluster.get("max_workers", 2) - sum(always.values())
    slots = fitting.get(str(head), 0)
    for name in sorted(fitting, key=lambda name: -fitting[name]):
        workers = min(always[name] + left, counts[name] - (name == head))
        slots, left = slots + workers * fitting[name], left + always[name] - workers
    return slots


def _idle_parts(slot: Slot, node: Mapping[str, float], name: str) -> list[str]:
    """GPUs that no trial can use: too few CPUs beside them, or a number that the trials do not divide."""
    if not slot.gpus:
        return [f"resources: trials without a GPU leave the GPUs of node type {name} idle"] if node["GPU"] else []
    used = slot.count([node]) * slot.gpus
    by_gpu = slot.count([{**node, "CPU": 1e12}]) if node["GPU"] else 0
    if slot.count([node]) < by_gpu:
        rule = f"node type {name} has CPUs for {slot.count([node])} trials, but GPUs for {by_gpu}"
        return [f"resources.cpus_per_trial: {rule}"]
    if slot.gpus >= 1 and used < node["GPU"]:
        return [
            f"resources.gpus_per_trial: {node['GPU'] - used:g} of {node['GPU']:g} GPUs of node type {name} stay idle"
        ]
    return []


def _text(fraction: float) -> str:
    return f"{fraction:.4g}"
