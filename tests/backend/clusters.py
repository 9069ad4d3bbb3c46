"""Ray clusters of several nodes on this machine, and sweeps on them whose workers train nothing."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.backend import nodes, session
from tuner.engine.coordinator import Coordinator
from tuner.engine.slots import Slot
from tuner.storage.journal import read_events
from tuner.sweep import events as ev

STORE_BYTES = 10**8
SPACE = {"learning_rate": (1e-4, 1e-1), "units": (16, 512), "dropout": (0.0, 0.5)}


@contextmanager
def cluster_of(**head: Any) -> Iterator[Any]:
    """A cluster with this head, joined; more nodes by `add_node`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True,
            shutdown_at_exit=False,  # which takes the main thread; the sweep has it
            head_node_args={"include_dashboard": False, "object_store_memory": STORE_BYTES, **head},
        )
    try:
        session.start_ray(cluster.address)
        yield cluster
    finally:
        session_folder = cluster.head_node.get_session_dir_path()
        session.leave_ray()
        cluster.shutdown()
        for process in psutil.process_iter(["cmdline"]):  # of nodes that an autoscaler started
            if any(session_folder in word for word in process.info["cmdline"] or ()):
                with suppress(psutil.NoSuchProcess):
                    process.kill()


class Run:
    """One sweep on the joined cluster.

    Attributes:
        coordinator: look at it under its lock.
    """

    def __init__(self, folder: Path, slot: Slot, num_trials: int, name: str = "test") -> None:
        self.spec = make_spec(
            name=name,
            objective={"metric": "loss", "mode": "min"},
            epochs={"min": 1, "max": 3},
            num_trials=num_trials,
            early_stopping={"algorithm": "none"},
            space={name: {"low": low, "high": high} for name, (low, high) in SPACE.items()},
        )
        self.gates = folder / f"{name}-gates"
        self.gates.mkdir()
        self.hold(0, 0)
        self.journal = new_sweep(folder, self.spec)
        self.coordinator: Coordinator = coordinator_of(self.journal)
        self.slot = slot

    def hold(self, first: int, until_begun: int) -> None:
        """Trials from this number on wait after an epoch until so many have reported one."""
        path = self.gates / "held.json"
        path.with_suffix(".new").write_text(json.dumps({"from": first, "until_begun": until_begun}))
        path.with_suffix(".new").replace(path)

    def wait_for(self, condition: Callable[[Coordinator], bool], timeout_s: float = 120) -> None:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            with self.coordinator.lock:
                if condition(self.coordinator):
                    return
            time.sleep(0.1)
        raise AssertionError(f"never met within {timeout_s} s: {self.coordinator.sweep.outcomes()}")

    def fit(self) -> list[ev.AnyEvent]:
        """Runs it to its end; its events."""
        from tests.backend.waiting_worker import WaitingWorker
        from tuner.backend import tune_adapter  # which imports Ray Tune
        from tuner.backend.worker import Common

        self.coordinator.set_slots(self.slot.count(nodes.cluster_nodes()))
        common = Common(self.slot, None, "none", [], path=str(self.gates))
        tune_adapter.fit(self.coordinator, common, worker=WaitingWorker)
        self.coordinator.close()
        self.journal.close()
        return read_events(self.journal.folder)


def most_at_a_time(events: list[ev.AnyEvent]) -> int:
    """How many trials trained at the same time, at most."""
    live: set[int] = set()
    most = 0
    for event in events:
        if isinstance(event, ev.TrialStarted):
            live.add(event.trial)
        elif isinstance(event, ev.TrialEnded):
            live.discard(event.trial)
        most = max(most, len(live))
    return most
