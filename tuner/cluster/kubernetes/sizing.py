"""The size of a worker pod: whole GPUs and CPUs for as many trials as it runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuner.cluster.kubernetes.options import MAX_WORKERS, Options
from tuner.engine.slots import Slot
from tuner.spec import SweepSpec

TRIAL_BYTES = 4 * 2**30
"""Of a trial by default: TensorFlow alone takes 1 GiB, with CUDA 2 GiB."""
RAY_BYTES = 2 * 2**30
"""Of a pod besides its trials: Ray's processes and object store."""
_ROOM = 1.25
"""A worker that exceeds `failures.worker_memory` is replaced between two epochs, and must survive until then."""


@dataclass(frozen=True)
class WorkerPod:
    """A worker of the cluster."""

    trials: int
    cpus: int
    gpus: int
    memory_bytes: float
    max_pods: int

    @classmethod
    def of(cls, spec: SweepSpec, options: Options) -> WorkerPod:
        """Trials with a fraction of a GPU share a whole one; others have a pod each, unless options say otherwise."""
        slot = Slot.of(spec.resources)
        trials = options.trials_per_worker or slot.per_card
        gpus = -(-trials // slot.per_card) * max(1, int(slot.gpus)) if slot.gpus else 0
        per_trial = options.memory_bytes or (spec.failures.worker_memory or 0) * _ROOM or TRIAL_BYTES
        most = options.max_workers or max(options.min_workers, min(MAX_WORKERS, math.ceil(spec.num_trials / trials)))
        return cls(trials, math.ceil(trials * slot.cpus), gpus, trials * per_trial + RAY_BYTES, most)
