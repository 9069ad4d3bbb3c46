"""What KubeRay's operator refuses of a RayCluster's `spec`, as it stands in a RayJob."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tests.cluster.kubernetes.operator.metadata import label_problems
from tests.cluster.kubernetes.operator.pods import pod_problems
from tests.cluster.kubernetes.operator.schema import Object, Problems
from tuner.spec.space import shown

MANAGERS = ("ray.io/kuberay-operator", "kueue.x-k8s.io/multikueue")
_AUTOSCALER_V2 = "RAY_enable_autoscaler_v2"
_GATED = ("networkPolicy", "tlsOptions", "historyServerOptions")
_RAY_RESOURCES = ("num-cpus", "num-gpus", "memory", "resources")


def cluster_problems(cluster: Object) -> Problems:
    head, groups = cluster["headGroupSpec"], cluster.get("workerGroupSpecs", [])
    yield from _group("headGroupSpec", head)
    for index, group in enumerate(groups):
        path = f"workerGroupSpecs[{index}]"
        yield from _group(path, group)
        yield from _replicas(path, group)
        yield from _priority(cluster, path, group)
        if group.get("suspend") and cluster.get("enableInTreeAutoscaling"):
            yield f"{path}.suspend", "must not be true with enableInTreeAutoscaling: true"
        if group.get("idleTimeoutSeconds", 0) < 0:
            yield f"{path}.idleTimeoutSeconds", f"must be at least 0, but got {group['idleTimeoutSeconds']}"
    for name, count in Counter(group["groupName"] for group in groups).items():
        if count > 1:
            yield "workerGroupSpecs", f"groupName must differ between groups, but {count} are named {shown(name)}"
    yield from _autoscaler(cluster, head, groups)
    yield from _authentication(cluster)
    yield from _redis(cluster, head)
    for field in _GATED:
        if field in cluster:
            yield field, "needs a feature gate of the operator's that is off by default"
    if cluster.get("managedBy", MANAGERS[0]) not in MANAGERS:
        yield "managedBy", f"must be one of {', '.join(MANAGERS)}, but got {shown(cluster['managedBy'])}"
    if "upgradeStrategy" in cluster:
        yield "upgradeStrategy", "must be left out of a RayJob's cluster"


def _priority(cluster: Object, path: str, group: Object) -> Problems:
    if group.get("priority") and _ray_version(cluster) < (2, 56):
        yield f"{path}.priority", f"needs a rayVersion of at least 2.56.0, but got {shown(cluster.get('rayVersion'))}"


def _replicas(path: str, group: Object) -> Problems:
    least, most = group.get("minReplicas", 0), group.get("maxReplicas", 2**31 - 1)
    if least < 0:
        yield f"{path}.minReplicas", f"must be at least 0, but got {least}"
    if least > most:
        yield f"{path}.minReplicas", f"must not be above maxReplicas, but got {least} and {most}"
    elif not least <= group.get("replicas", least) <= most:
        yield f"{path}.replicas", f"must be from minReplicas to maxReplicas, but got {group['replicas']}"
    if group.get("numOfHosts", 1) < 1:
        yield f"{path}.numOfHosts", f"must be at least 1, but got {group['numOfHosts']}"


def _group(path: str, group: Object) -> Problems:
    """What holds for the head as for a worker group."""
    params = group.get("rayStartParams", {})
    if group.get("resources") and any(params.get(name) for name in _RAY_RESOURCES):
        yield f"{path}.resources", "must not be given beside resources in rayStartParams"
    if "labels" in params:
        yield f"{path}.rayStartParams.labels", f"must stand in {path}.labels"
    yield from label_problems(f"{path}.labels", group.get("labels", {}))
    yield from pod_problems(f"{path}.template.spec", group["template"].get("spec", {}))


def _autoscaler(cluster: Object, head: Object, groups: Sequence[Object]) -> Problems:
    options = cluster.get("autoscalerOptions", {})
    in_environment = _environment(head).get(_AUTOSCALER_V2)
    if options.get("idleTimeoutSeconds", 0) < 0:
        yield "autoscalerOptions.idleTimeoutSeconds", f"must be at least 0, but got {options['idleTimeoutSeconds']}"
    if "KUBERAY_GEN_AUTOSCALER_START_CMD" in {variable["name"] for variable in options.get("env", [])}:
        yield "autoscalerOptions.env", "must not set KUBERAY_GEN_AUTOSCALER_START_CMD, which is the operator's own"
    has_v2 = bool(cluster.get("enableInTreeAutoscaling")) and options.get("version") == "v2"
    if not cluster.get("enableInTreeAutoscaling"):
        if in_environment in ("1", "true"):
            yield "headGroupSpec.template.spec", f"{_AUTOSCALER_V2} needs enableInTreeAutoscaling: true"
        for index, group in enumerate(groups):
            for field in {"minReplicas", "maxReplicas"} - group.keys():
                yield f"workerGroupSpecs[{index}].{field}", "is required without enableInTreeAutoscaling"
    elif "version" in options and in_environment is not None:
        yield "autoscalerOptions.version", f"must not be given beside the variable {_AUTOSCALER_V2}"
    if has_v2:
        named = [
            ("headGroupSpec", head),
            *((f"workerGroupSpecs[{index}]", group) for index, group in enumerate(groups)),
        ]
        for path, group in named:
            if restarts(group):
                yield f"{path}.template.spec.restartPolicy", "must be Never or left out with autoscaler v2"
    else:
        for index, group in enumerate(groups):
            for field in {"idleTimeoutSeconds", "priority"} & group.keys():
                yield f"workerGroupSpecs[{index}].{field}", "needs autoscalerOptions.version: v2"


def _authentication(cluster: Object) -> Problems:
    options = cluster.get("authOptions", {})
    if options.get("enableK8sTokenAuth"):
        yield "authOptions.enableK8sTokenAuth", "must not be true in a RayJob"
    if options and options.get("mode", "token") == "token" and _ray_version(cluster) < (2, 52):
        got = shown(cluster.get("rayVersion"))
        yield "rayVersion", f"must be at least 2.52.0 for authOptions.mode token, but got {got}"


def _ray_version(cluster: Object) -> tuple[int, int]:
    """(0, 0) where it is not told."""
    version = re.fullmatch(r"v?(\d{1,9})\.(\d{1,9})(\.\d+)?.*", cluster.get("rayVersion", ""), re.DOTALL)
    return (0, 0) if version is None else (int(version[1]), int(version[2]))


def _redis(cluster: Object, head: Object) -> Problems:
    """GCS fault tolerance is asked for in one place alone."""
    params, environment = head.get("rayStartParams", {}), _environment(head)
    path = "headGroupSpec.template.spec"
    if "redis-username" in params or "REDIS_USERNAME" in environment:
        yield path, "REDIS_USERNAME must be given as gcsFaultToleranceOptions.redisUsername"
    if "gcsFaultToleranceOptions" not in cluster and "RAY_REDIS_ADDRESS" in environment:
        yield path, "RAY_REDIS_ADDRESS needs gcsFaultToleranceOptions"
    if "gcsFaultToleranceOptions" in cluster:
        options = cluster["gcsFaultToleranceOptions"]
        if options.get("backend") == "rocksdb":
            yield (
                "gcsFaultToleranceOptions.backend",
                "rocksdb needs a feature gate of the operator's that is off by default",
            )
        elif "storage" in options:
            yield "gcsFaultToleranceOptions.storage", "must be left out with the backend redis"
        for name in {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD"} & environment.keys():
            yield path, f"{name} must be given in gcsFaultToleranceOptions"
        if params.get("redis-password"):
            yield "headGroupSpec.rayStartParams.redis-password", "must be given in gcsFaultToleranceOptions"


def restarts(group: Object) -> bool:
    return bool(group["template"].get("spec", {}).get("restartPolicy", "Never") != "Never")


def _environment(group: Object) -> dict[str, str]:
    """Of the Ray container, which is a pod's first."""
    containers = group["template"].get("spec", {}).get("containers", [])
    variables = containers[0].get("env", []) if containers else []
    return {variable["name"]: variable.get("value", "") for variable in variables}
