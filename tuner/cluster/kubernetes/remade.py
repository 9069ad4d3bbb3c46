"""A RayJob that has ended, made anew: as it was, with further words for its driver."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Sequence
from typing import Any

from tuner.cluster.kubernetes.naming import QUEUE_LABEL
from tuner.cluster.kubernetes.running import RunningJob

_KEPT = ("name", "namespace", "labels", "annotations")


def remade(job: RunningJob, overrides: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    """The RayJob to apply once the old one is deleted.

    Args:
        overrides: as for `--set`; those of earlier resumes stay.
        options: further options of `tuner run`.
    """
    metadata = job.found["metadata"]
    spec = copy.deepcopy(job.found["spec"])
    words = [word for word in shlex.split(spec["entrypoint"]) if word not in options]
    more = [word for override in overrides for word in ("--set", override)]
    spec["entrypoint"] = shlex.join([*words, *more, *options])
    if QUEUE_LABEL in (metadata.get("labels") or {}):
        spec["suspend"] = True  # Kueue admits it again
    else:
        spec.pop("suspend", None)
    spec.pop("jobId", None)  # a job server takes each id once
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {key: metadata[key] for key in _KEPT if metadata.get(key)},
        "spec": spec,
    }
