"""A running sweep's figures as Ray metrics, which each node of a cluster exports for Prometheus.

Ray adds the prefix `ray_`, and the suffix `_total` to counters.
"""

from __future__ import annotations

import time
from typing import Any

from tuner.engine.coordinator import Coordinator
from tuner.recording import backlog

BACKLOG_EVERY_S = 15.0
"""Reading the backlog from the sweep's folder may take a request to an object store."""
_BOUNDS_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0]

GAUGES = {
    "tuner_trials": "Trials by outcome; `unfinished` are those that train or wait.",
    "tuner_slots": "How many trials the cluster can train at the same time.",
    "tuner_slots_busy": "How many slots have a trial.",
    "tuner_best_value": "The objective of the best trial so far.",
    "tuner_tracking_backlog_events": "Events of the journal that are not recorded in MLflow.",
}
COUNTERS = {"tuner_epochs": "Epochs trained since the driver's start."}
HISTOGRAMS = {"tuner_decision_seconds": "From a worker's report to the durable decision on it."}
TAGS = {"tuner_trials": ("sweep", "outcome"), "tuner_best_value": ("sweep", "metric")}
EXPORTED = [
    *(f"ray_{name}" for name in GAUGES),
    *(f"ray_{name}_total" for name in COUNTERS),
    *(f"ray_{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "count", "sum")),
]
"""The names that Prometheus sees."""


class Telemetry:
    """Gives Ray the state of a sweep; to be updated now and then."""

    def __init__(self, coordinator: Coordinator) -> None:
        from ray.util.metrics import Counter, Gauge, Histogram

        self._coordinator = coordinator
        self._metrics: dict[str, Any] = {}
        for kind, names in ((Gauge, GAUGES), (Counter, COUNTERS)):
            for name, description in names.items():
                self._metrics[name] = kind(name, description, TAGS.get(name, ("sweep",)))
        for name, description in HISTOGRAMS.items():
            self._metrics[name] = Histogram(name, description, _BOUNDS_S, ("sweep",))
        self._epochs_told = coordinator.sweep.num_epochs
        self._backlog_at = float("-inf")

    def update(self) -> None:
        """Reads the coordinator under its lock, then sets the metrics."""
        coordinator = self._coordinator
        with coordinator.lock:
            sweep = coordinator.sweep
            outcomes, epochs, num_events = sweep.outcomes(), sweep.num_epochs, sweep.num_events
            best = None if sweep.best is None else sweep.best.best_value
            slots, busy = coordinator.slots, coordinator.busy
            decisions_s = coordinator.take_decisions_s()
        tags = {"sweep": sweep.name}
        for outcome, count in outcomes.items():
            self._metrics["tuner_trials"].set(count, {**tags, "outcome": outcome})
        self._metrics["tuner_slots"].set(slots, tags)
        self._metrics["tuner_slots_busy"].set(busy, tags)
        if best is not None:
            self._metrics["tuner_best_value"].set(best, {**tags, "metric": sweep.metric})
        if epochs > self._epochs_told:
            self._metrics["tuner_epochs"].inc(epochs - self._epochs_told, tags)
            self._epochs_told = epochs
        for seconds in decisions_s:
            self._metrics["tuner_decision_seconds"].observe(seconds, tags)
        if time.monotonic() - self._backlog_at >= BACKLOG_EVERY_S:
            self._metrics["tuner_tracking_backlog_events"].set(backlog(coordinator.journal.folder, num_events), tags)
            self._backlog_at = time.monotonic()
