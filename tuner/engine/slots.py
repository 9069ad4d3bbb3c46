"""Slots: what one trial takes of a node, and how many trials nodes have room for."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuner.base.errors import UsageError

if TYPE_CHECKING:
    from tuner.spec.models import Resources


@dataclass(frozen=True)
class Slot:
    """What one trial takes."""

    cpus: float
    gpus: float

    @classmethod
    def of(cls, resources: Resources) -> Slot:
        return cls(resources.cpus_per_trial, resources.gpus_per_trial)

    @property
    def resources(self) -> dict[str, float]:
        return {name.lower(): amount for name, amount in self.bundle.items()}

    @property
    def bundle(self) -> dict[str, float]:
        """As Ray's placement groups take it."""
        return {"CPU": self.cpus, "GPU": self.gpus} if self.gpus else {"CPU": self.cpus}

    def memory_bytes(self, node: Mapping[str, float]) -> float | None:
        """A trial's share of its node's memory; None if the node does not report it."""
        return node["memory"] / n if node.get("memory") and (n := self.count([node])) else None

    @property
    def threads(self) -> int:
        """TensorFlow's threads in a worker."""
        return max(1, math.floor(self.cpus))

    @property
    def per_card(self) -> int:
        """How many trials share one card, as a fraction never spans two; 1 if a trial takes whole cards, or none."""
        return math.floor(1 / self.gpus + 1e-9) if 0 < self.gpus < 1 else 1

    def count(self, nodes: Iterable[Mapping[str, float]]) -> int:
        """How many such slots fit on nodes with these `CPU` and `GPU` resources."""
        return sum(self._count_on(node) for node in nodes)

    def lacking(self, nodes: Iterable[Mapping[str, float]]) -> str:
        """What a slot takes and what the nodes have, for a message; empty if no node has a CPU."""
        sizes = sorted({(node["CPU"], node.get("GPU", 0.0)) for node in nodes if node.get("CPU")})
        has = "; ".join(f"{cpus:g} CPUs and {gpus:g} GPUs" for cpus, gpus in sizes[-3:])
        return f", which takes {self.cpus:g} CPUs and {self.gpus:g} GPUs (nodes have {has})" if has else ""

    def _count_on(self, node: Mapping[str, float]) -> int:
        by_cpu = math.floor(node.get("CPU", 0.0) / self.cpus + 1e-9)
        if not self.gpus:
            return by_cpu
        gpus = node.get("GPU", 0.0)
        whole = math.floor(gpus / self.gpus + 1e-9)
        return min(by_cpu, whole if self.gpus >= 1 else math.floor(gpus) * self.per_card)


def local_node() -> dict[str, float]:
    """This machine's CPUs and GPUs as Ray will count them, without starting Ray."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    cards = glob.glob("/proc/driver/nvidia/gpus/*")
    gpus = len(cards) if visible is None else len([card for card in visible.split(",") if card not in ("", "-1")])
    return {"CPU": float(cpus), "GPU": float(min(gpus, len(cards)))}


def require_room(slot: Slot, slots: int) -> None:
    """Refuses a sweep whose trials fit on no node.

    Raises:
        UsageError: no node has room for one trial.
    """
    if slots == 0:
        raise UsageError(f"resources: a trial takes {slot.cpus:g} CPUs and {slot.gpus:g} GPUs, but no node has as many")
