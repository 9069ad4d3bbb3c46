"""What one worker pod takes: whole cards and CPUs for as many trials as fit on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuner.cluster.kubernetes.options import MAX_WORKERS, Options
from tuner.engine.slots import Slot
from tuner.spec import SweepSpec

TRIAL_BYTES = 4 * 2**30
"""Of a trial whose spec says nothing: TensorFlow alone takes one, with CUDA two."""
RAY_BYTES = 2 * 2**30
"""Of a pod beside its trials: Ray's processes and its object store."""
_ROOM = 1.25
"""A worker is replaced between two epochs once it has passed `failures.worker_memory`, and must live until then."""


@dataclass(frozen=True)
class WorkerPod:
    """One worker of the cluster."""

    trials: int
    cpus: int
    gpus: int
    memory_bytes: float
    max_pods: int

    @classmethod
    def of(cls, spec: SweepSpec, options: Options) -> WorkerPod:
        """Fractions of a card are packed on a whole one; other trials have a pod each, unless the options say more."""
        slot = Slot.of(spec.resources)
        trials = options.trials_per_worker or slot.per_card
        gpus = -(-trials // slot.per_card) * max(1, int(slot.gpus)) if slot.gpus else 0
        per_trial = options.memory_bytes or (spec.failures.worker_memory or 0) * _ROOM or TRIAL_BYTES
        most = options.max_workers or max(options.min_workers, min(MAX_WORKERS, math.ceil(spec.num_trials / trials)))
        return cls(trials, math.ceil(trials * slot.cpus), gpus, trials * per_trial + RAY_BYTES, most)
