"""A spec that fits a Kubernetes cluster, and its manifest."""

from __future__ import annotations

from typing import Any

from tuner.cluster.kubernetes.job import manifest
from tuner.cluster.kubernetes.options import Options
from tuner.spec import SweepSpec, spec_from_mapping


def spec(**changes: Any) -> SweepSpec:
    return spec_from_mapping(
        {
            "name": "digits",
            "trainable": "digits",
            "objective": {"metric": "val_loss", "mode": "min"},
            "num_trials": 64,
            "epochs": {"max": 9},
            "space": {"learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"}},
            "storage": "s3://bucket/sweeps",
            "tracking": {"uri": "https://mlflow.example.com"},
            **changes,
        }
    )


def gpu_spec(gpus: float, cpus: float = 1, **changes: Any) -> SweepSpec:
    return spec(resources={"cpus_per_trial": cpus, "gpus_per_trial": gpus}, **changes)


def ray_job(made: SweepSpec, **options: Any) -> Any:
    return manifest(made, Options(**options), {})[1]
