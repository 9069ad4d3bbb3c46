"""What the API server would refuse of a pod, and only once the operator creates it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tests.cluster.kubernetes.operator.schema import Object, Problems
from tuner.spec.space import shown


def pod_problems(path: str, pod: Object) -> Problems:
    """Of a pod template's `spec`, which stands at `path`."""
    containers = pod.get("containers", [])
    if not containers:
        yield f"{path}.containers", "must hold a container"
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    yield from _unique(f"{path}.volumes", volumes)
    yield from _unique(f"{path}.containers", [container["name"] for container in containers])
    for index, container in enumerate(containers):
        here = f"{path}.containers[{index}]"
        if not container.get("image"):
            yield f"{here}.image", "is required"
        mounts = container.get("volumeMounts", [])
        yield from _unique(f"{here}.volumeMounts", [mount["mountPath"].rstrip("/") for mount in mounts], "mountPath")
        for number, mount in enumerate(mounts):
            if mount["name"] not in volumes:
                rule = f"must be one of the pod's volumes, but got {shown(mount['name'])}"
                yield f"{here}.volumeMounts[{number}].name", rule
        yield from _requests(f"{here}.resources", container.get("resources", {}))


def _requests(path: str, resources: Object) -> Problems:
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    for name in requests.keys() & limits.keys():
        wanted, most = quantity(requests[name]), quantity(limits[name])
        if wanted > most:
            yield f"{path}.requests.{name}", f"must not be above its limit {limits[name]}, but got {requests[name]}"
    for name in {*requests, *limits} - {"cpu", "memory", "ephemeral-storage"}:
        if name.startswith("hugepages-"):
            continue
        amounts = {quantity(part[name]) for part in (requests, limits) if name in part}
        if len(amounts) > 1 or name not in limits or any(not amount.is_integer() for amount in amounts):
            yield f"{path}.limits.{name}", "must be whole, and the same as requested"


def quantity(written: str | int) -> float:
    """A Kubernetes quantity as a number: 500m, 2, 8Gi."""
    match = re.fullmatch(r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)([KMGTPE]i|[numkMGTPE])?", str(written))
    assert match is not None  # its shape is checked
    powers = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
    unit = match[2] or ""
    factor = 1024.0 ** ("KMGTPE".index(unit[0]) + 1) if unit.endswith("i") else powers.get(unit, 1.0)
    return float(match[1]) * factor


def _unique(path: str, names: Sequence[str], what: str = "names") -> Problems:
    for name, count in Counter(names).items():
        if count > 1:
            yield path, f"{what} must differ, but {count} are {shown(name)}"
