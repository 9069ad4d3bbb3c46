"""What KubeRay's operator and the API server refuse of an object whose shape is right.

The rules are those of KubeRay 1.7's ray-operator/controllers/ray/utils/validation.go and of the CRD's own expressions,
with the feature gates that are off by default taken as off; then what pods and Kueue ask for.
"""

from __future__ import annotations

import re

from tests.cluster.kubernetes.operator.cluster_rules import MANAGERS, cluster_problems, restarts
from tests.cluster.kubernetes.operator.deletion_rules import deletion_problems
from tests.cluster.kubernetes.operator.metadata import metadata_problems
from tests.cluster.kubernetes.operator.schema import Object, Problems, shape_problems
from tuner.cluster.kubernetes.naming import DNS_1035, ELASTIC, MAX_JOB_NAME, QUEUE_LABEL
from tuner.spec.space import shown

MAX_CONFIG_MAP_BYTES = 2**20

_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_REDIS_ANNOTATIONS = {"ray.io/ft-enabled", "ray.io/external-storage-namespace"}
_MODES = ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")


def problems(document: Object) -> list[str]:
    """All that would be refused of a RayJob or a ConfigMap, one line each; none if it would be taken."""
    if wrong := shape_problems(document):
        return wrong
    rules = _config_map if document["kind"] == "ConfigMap" else _ray_job
    return [f"{path}: {rule}" for path, rule in [*metadata_problems(document["metadata"]), *rules(document)]]


def _config_map(document: Object) -> Problems:
    data, binary = document.get("data", {}), document.get("binaryData", {})
    for key in (*data, *binary):
        if not _CONFIG_KEY.fullmatch(key):
            yield f"data.{key}", "must be named with letters, digits, dots, dashes and underscores"
    size_bytes = sum(len(text.encode()) for part in (data, binary) for item in part.items() for text in item)
    if size_bytes > MAX_CONFIG_MAP_BYTES:
        yield "data", f"must hold at most 1 MiB, but got {size_bytes / 2**20:.1f} MiB"


def _ray_job(document: Object) -> Problems:
    metadata, spec = document["metadata"], document["spec"]
    name = metadata["name"]
    if len(name) > MAX_JOB_NAME or not DNS_1035.fullmatch(name):
        rule = f"must be at most {MAX_JOB_NAME} lower-case letters, digits and dashes, the first a letter"
        yield "metadata.name", f"{rule}, but got {shown(name)}"
    yield from _job_end(spec)
    yield from _job_submission(spec)
    cluster = spec.get("rayClusterSpec")
    if cluster is None:
        if not spec.get("clusterSelector"):
            yield "spec.rayClusterSpec", "is required where no clusterSelector is given"
        return
    yield from ((f"spec.rayClusterSpec.{path}", rule) for path, rule in cluster_problems(cluster))
    if spec.get("submissionMode") == "SidecarMode" and restarts(cluster["headGroupSpec"]):
        path = "spec.rayClusterSpec.headGroupSpec.template.spec.restartPolicy"
        yield path, "must be Never or left out with submissionMode SidecarMode"
    if "gcsFaultToleranceOptions" in cluster:
        for name in _REDIS_ANNOTATIONS & metadata.get("annotations", {}).keys():
            yield f"metadata.annotations.{name}", "must be given in gcsFaultToleranceOptions"
    if QUEUE_LABEL in metadata.get("labels", {}):
        yield from _kueue(metadata, spec, cluster)


def _job_end(spec: Object) -> Problems:
    """How a job is suspended, ended, retried and cleaned up."""
    shuts_down = spec.get("shutdownAfterJobFinishes", False)
    selects = bool(spec.get("clusterSelector"))
    if spec.get("suspend") and not shuts_down:
        yield "spec.suspend", "needs shutdownAfterJobFinishes: true"
    if spec.get("suspend") and selects:
        yield "spec.suspend", "must not be true with a clusterSelector"
    ttl = spec.get("ttlSecondsAfterFinished", 0)
    if ttl < 0:
        yield "spec.ttlSecondsAfterFinished", f"must be at least 0, but got {ttl}"
    if ttl > 0 and not shuts_down:
        yield "spec.ttlSecondsAfterFinished", "needs shutdownAfterJobFinishes: true"
    for field in ("activeDeadlineSeconds", "preRunningDeadlineSeconds"):
        if spec.get(field, 1) <= 0:
            yield f"spec.{field}", f"must be at least 1, but got {spec[field]}"
    retries = spec.get("backoffLimit", 0)
    if retries < 0:
        yield "spec.backoffLimit", f"must be at least 0, but got {retries}"
    if retries > 0 and selects:
        yield "spec.backoffLimit", "must be 0 with a clusterSelector"
    if retries > 0 and spec.get("submissionMode") == "InteractiveMode":
        yield "spec.backoffLimit", "must be 0 with submissionMode InteractiveMode"
    yield from ((f"spec.{path}", rule) for path, rule in deletion_problems(spec))


def _job_submission(spec: Object) -> Problems:
    mode = spec.get("submissionMode", "K8sJobMode")
    if mode not in _MODES:
        yield "spec.submissionMode", f"must be one of {', '.join(_MODES)}, but got {shown(mode)}"
    if mode != "InteractiveMode" and not spec.get("entrypoint", "").strip():
        yield "spec.entrypoint", "is required"
    if mode == "SidecarMode":
        for field in ("submitterPodTemplate", "submitterConfig", "clusterSelector"):
            if spec.get(field):
                yield f"spec.{field}", "must be left out with submissionMode SidecarMode"
    if spec.get("clusterSelector") and not spec["clusterSelector"].get("ray.io/cluster"):
        yield "spec.clusterSelector", "must name a cluster as ray.io/cluster"
    if spec.get("managedBy", MANAGERS[0]) not in MANAGERS:
        yield "spec.managedBy", f"must be one of {', '.join(MANAGERS)}, but got {shown(spec['managedBy'])}"
    if "runtimeEnvYAML" in spec:
        yield from _runtime_env(spec["runtimeEnvYAML"])


def _runtime_env(text: str) -> Problems:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        tree = text
    if not isinstance(tree, dict | None):
        yield "spec.runtimeEnvYAML", "must be the text of a YAML mapping"


def _kueue(metadata: Object, spec: Object, cluster: Object) -> Problems:
    if not spec.get("suspend"):
        yield "spec.suspend", "must be true for a job that waits in a queue"
    if not spec.get("shutdownAfterJobFinishes"):
        yield "spec.shutdownAfterJobFinishes", "must be true for a job that waits in a queue"
    if cluster.get("enableInTreeAutoscaling") and metadata.get("annotations", {}).get(ELASTIC) != "true":
        rule = f"must be false for a job that waits in a queue, unless its annotation {ELASTIC} is true"
        yield "spec.rayClusterSpec.enableInTreeAutoscaling", rule
    if spec.get("clusterSelector"):
        yield "spec.clusterSelector", "must be left out for a job that waits in a queue"
