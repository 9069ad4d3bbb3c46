"""KubeRay's operator and the API server accept every manifest that `tuner kubernetes` writes.

`operator/` holds their rules. It is tested here, too: rules that accept everything would prove nothing.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.cluster.kubernetes.making import gpu_spec, ray_job
from tests.cluster.kubernetes.operator import rules, schema
from tests.cluster.kubernetes.operator.pods import quantity
from tuner.cluster.kubernetes.job import manifest
from tuner.cluster.kubernetes.options import WORKING_DIRECTORY, Options
from tuner.spec import SweepSpec

CLUSTER = "spec.rayClusterSpec"
HEAD = f"{CLUSTER}.headGroupSpec"
GROUP = f"{CLUSTER}.workerGroupSpecs[0]"
POD = f"{GROUP}.template.spec"


def made() -> Any:
    """Each part of it stands alone, as after writing and reading it."""
    job = ray_job(gpu_spec(0.5), queue="team", secrets=("keys",), volumes=("claim:/mnt/share",))
    return json.loads(json.dumps(job))


@pytest.fixture
def job() -> Any:
    return made()


def put(document: Any, path: str, value: Any) -> None:
    *parents, last = path.replace("[", ".[").split(".")
    for part in parents:
        document = document[int(part[1:-1])] if part.startswith("[") else document.setdefault(part, {})
    if value is None:
        del document[last]
    elif last.startswith("["):
        document[int(last[1:-1])] = value
    else:
        document[last] = value


NUMBERS = st.none() | st.integers(0, 12) | st.sampled_from([10**9, 2**31, 10**30])
DNS_NAMES = st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True) | st.sampled_from(["a", "a.b", "a" * 63, "x" * 254])
VOLUMES = st.sampled_from(["a:/x", "b:/x/", "b:/y/z", "A:/q", "c:/a b", "c:/é", "d:/home"])
OPTIONS = st.builds(
    Options,
    namespace=st.none() | DNS_NAMES,
    image=st.none() | st.sampled_from(["tuner:1", "host:5000/a/b:v1"]),
    min_workers=st.integers(1, 12),
    max_workers=st.none() | st.integers(12, 99) | NUMBERS,
    trials_per_worker=NUMBERS,
    memory_bytes=st.none() | st.floats(2**20, 1e30),
    retries=st.integers(0, 9) | st.sampled_from([10**9, 2**31]),
    queue=st.none() | DNS_NAMES | st.text(max_size=5),
    service_account=st.none() | DNS_NAMES,
    secrets=st.lists(DNS_NAMES, max_size=1).map(tuple),
    volumes=st.lists(VOLUMES, max_size=2).map(tuple),
)
SPECS = st.builds(
    gpu_spec,
    st.sampled_from([0, 0.25, 0.3, 1, 2]),
    st.sampled_from([0.5, 1, 7]),
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True),
    num_trials=st.sampled_from([1, 64, 10**9]),
)


@given(made=SPECS, options=OPTIONS)
@settings(max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_the_operator_accepts_whatever_passes_our_own_checks(made: SweepSpec, options: Options) -> None:
    assume(not options.problems())
    objects = manifest(made, options, {"AWS_REGION": "eu-west-1", "PGHOST": ""})
    assert [rules.problems(json.loads(json.dumps(one))) for one in objects] == [[], []]


def test_the_operator_accepts_what_we_write(job: Any) -> None:
    assert rules.problems(job) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("spec.entryPoint", "x", "spec.entryPoint: unknown key; did you mean 'entrypoint'?"),
        ("metadata.label", {}, "metadata.label: unknown key; did you mean 'labels'?"),
        (f"{CLUSTER}.autoscalerOptions.idleTimeout", 1, "did you mean 'idleTimeoutSeconds'?"),
        (f"{GROUP}.maxReplica", 3, f"{GROUP}.maxReplica: unknown key; did you mean 'maxReplicas'?"),
        (f"{POD}.containers[0].resource", {}, f"{POD}.containers[0].resource: unknown key"),
        (f"{POD}.containers[0].resources.limit", {}, f"{POD}.containers[0].resources.limit: unknown key"),
        (f"{POD}.containers[0].env[0].valueform", {}, f"{POD}.containers[0].env[0].valueform: unknown key"),
        (f"{POD}.containers[0].envFrom[0].secretRef.key", "k", "secretRef.key: unknown key"),
        (f"{POD}.tolerations[0].effects", "x", "tolerations[0].effects: unknown key; did you mean 'effect'?"),
        (f"{POD}.volumes[0].configMap.names", "x", "volumes[0].configMap.names: unknown key"),
        (f"{CLUSTER}.authOptions.modes", "token", f"{CLUSTER}.authOptions.modes: unknown key"),
        ("kind", "RayJobs", "kind: must be one of RayJob, ConfigMap, but got 'RayJobs'"),
        ("apiVersion", "ray.io/v1alpha1", "apiVersion: must be ray.io/v1, but got 'ray.io/v1alpha1'"),
        ("spec", None, "spec: is required"),
        ("metadata.name", None, "metadata.name: is required"),
        (f"{GROUP}.groupName", None, f"{GROUP}.groupName: is required"),
        (f"{POD}.containers", None, f"{POD}.containers: is required"),
        ("spec.backoffLimit", "3", "spec.backoffLimit: must be a whole number, but got '3'"),
        ("spec.backoffLimit", 2**31, "spec.backoffLimit: must be at most 2147483647"),
        (f"{CLUSTER}.autoscalerOptions.version", "v3", "version: must be one of v1, v2, but got 'v3'"),
        (f"{CLUSTER}.authOptions.mode", "tokens", "authOptions.mode: must be one of disabled, token"),
        (f"{POD}.containers[0].resources.limits.memory", "8 GB", "must be a quantity such as 2, 500m or 8Gi"),
        (f"{POD}.containers[0].resources.limits.cpu", 1.5, "must be a whole number or text, but got 1.5"),
        (f"{HEAD}.rayStartParams.num-cpus", 0, "rayStartParams.num-cpus: must be text, but got 0"),
    ],
)  # fmt: skip
def test_shape(job: Any, path: str, value: Any, told: str) -> None:
    put(job, path, value)
    lines = rules.problems(job)
    assert len(lines) == 1 and told in lines[0], lines


def sidecar(job: Any) -> None:
    job["spec"] |= {"submissionMode": "SidecarMode", "submitterConfig": {"backoffLimit": 1}}


def selected(job: Any) -> None:
    job["spec"] |= {"suspend": False, "backoffLimit": 0, "clusterSelector": {"name": "x"}}
    del job["metadata"]["labels"][rules.QUEUE_LABEL]


def without_autoscaler(job: Any) -> None:
    cluster = job["spec"]["rayClusterSpec"]
    cluster["enableInTreeAutoscaling"] = False
    cluster["workerGroupSpecs"][0]["idleTimeoutSeconds"] = 5


def old_with_priority(job: Any) -> None:
    job["spec"]["rayClusterSpec"]["rayVersion"] = "2.55.1"
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["priority"] = 3


def annotated(job: Any) -> None:
    job["spec"]["rayClusterSpec"]["gcsFaultToleranceOptions"] = {"redisAddress": "redis:6379"}
    job["metadata"]["annotations"]["ray.io/ft-enabled"] = "true"


def two_groups_of_a_name(job: Any) -> None:
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"] *= 2


def variable(name: str, value: str = "1") -> Callable[[Any], None]:
    def add(job: Any) -> None:
        head = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
        head["env"].append({"name": name, "value": value})

    return add


def setting(path: str, value: Any) -> Callable[[Any], None]:
    return lambda job: put(job, path, value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (setting("metadata.name", "a" * 48), "metadata.name: must be at most 47"),
        (setting("metadata.name", "1st"), "metadata.name: must be at most 47 lower-case letters, digits and dashes"),
        (setting("metadata.namespace", "Team"), "metadata.namespace: must be lower-case"),
        (setting("metadata.labels.queue", "a b"), "metadata.labels.queue: must be at most 63"),
        (setting("spec.shutdownAfterJobFinishes", False), "spec.suspend: needs shutdownAfterJobFinishes: true"),
        (setting("spec.shutdownAfterJobFinishes", False), "spec.ttlSecondsAfterFinished: needs shutdownAfter"),
        (setting("spec.ttlSecondsAfterFinished", -1), "spec.ttlSecondsAfterFinished: must be at least 0"),
        (setting("spec.activeDeadlineSeconds", 0), "spec.activeDeadlineSeconds: must be at least 1"),
        (setting("spec.backoffLimit", -1), "spec.backoffLimit: must be at least 0, but got -1"),
        (setting("spec.submissionMode", "InteractiveMode"), "spec.backoffLimit: must be 0 with submissionMode Inter"),
        (setting("spec.submissionMode", "Job"), "spec.submissionMode: must be one of K8sJobMode"),
        (setting("spec.entrypoint", " "), "spec.entrypoint: is required"),
        (setting("spec.runtimeEnvYAML", "[a]"), "spec.runtimeEnvYAML: must be the text of a YAML mapping"),
        (setting("spec.managedBy", "me"), "spec.managedBy: must be one of"),
        (setting("spec.rayClusterSpec", None), "spec.rayClusterSpec: is required"),
        (old_with_priority, f"{GROUP}.priority: needs a rayVersion of at least 2.56.0, but got '2.55.1'"),
        (setting(f"{CLUSTER}.gcsFaultToleranceOptions", {"backend": "rocksdb"}), "backend: rocksdb needs a"),
        (annotated, "metadata.annotations.ray.io/ft-enabled: must be given in gcsFaultToleranceOptions"),
        (selected, "spec.clusterSelector: must name a cluster as ray.io/cluster"),
        (sidecar, "spec.submitterConfig: must be left out with submissionMode SidecarMode"),
        (setting(f"{HEAD}.template.spec.containers", []), f"{HEAD}.template.spec.containers: must hold a container"),
        (setting(f"{HEAD}.resources", {"CPU": "0"}), f"{HEAD}.resources: must not be given beside resources in"),
        (setting(f"{HEAD}.rayStartParams.labels", "a=b"), f"{HEAD}.rayStartParams.labels: must stand in"),
        (setting(f"{GROUP}.labels", {"a b": "c"}), f"{GROUP}.labels.a b: must be named as [PREFIX/]NAME"),
        (setting(f"{GROUP}.minReplicas", 9), f"{GROUP}.minReplicas: must not be above maxReplicas, but got 9 and 8"),
        (setting(f"{GROUP}.replicas", 9), f"{GROUP}.replicas: must be from minReplicas to maxReplicas"),
        (setting(f"{GROUP}.suspend", True), f"{GROUP}.suspend: must not be true"),
        (two_groups_of_a_name, f"{CLUSTER}.workerGroupSpecs: groupName must differ"),
        (without_autoscaler, f"{GROUP}.idleTimeoutSeconds: needs autoscalerOptions.version: v2"),
        (setting(f"{GROUP}.template.spec.restartPolicy", "Always"), "restartPolicy: must be Never or left out"),
        (variable("RAY_enable_autoscaler_v2"), f"{CLUSTER}.autoscalerOptions.version: must not be given beside"),
        (variable("RAY_REDIS_ADDRESS"), "RAY_REDIS_ADDRESS needs gcsFaultToleranceOptions"),
        (setting(f"{CLUSTER}.rayVersion", "2.51.1"), f"{CLUSTER}.rayVersion: must be at least 2.52.0"),
        (setting(f"{CLUSTER}.rayVersion", None), f"{CLUSTER}.rayVersion: must be at least 2.52.0"),
        (setting(f"{CLUSTER}.authOptions.enableK8sTokenAuth", True), "enableK8sTokenAuth: must not be true"),
        (setting(f"{CLUSTER}.networkPolicy", {}), f"{CLUSTER}.networkPolicy: needs a feature gate"),
        (setting(f"{CLUSTER}.upgradeStrategy", {"type": "None"}), f"{CLUSTER}.upgradeStrategy: must be left out"),
        (setting(f"{POD}.containers[0].image", None), f"{POD}.containers[0].image: is required"),
        (setting(f"{POD}.containers[0].volumeMounts[0].name", "x"), "must be one of the pod's volumes, but got 'x'"),
        (
            setting(f"{POD}.containers[0].volumeMounts[1].mountPath", f"{WORKING_DIRECTORY}/"),
            f"{POD}.containers[0].volumeMounts: mountPath must differ, but 2 are '{WORKING_DIRECTORY}'",
        ),
        (setting(f"{POD}.containers[0].resources.requests.cpu", "3"), "must not be above its limit 2, but got 3"),
        (setting("metadata.annotations", {}), "enableInTreeAutoscaling: must be false for a job that waits in a queue"),
        (setting("spec.suspend", False), "spec.suspend: must be true for a job that waits in a queue"),
    ],
)  # fmt: skip
def test_rules(job: Any, change: Callable[[Any], None], told: str) -> None:
    change(job)
    assert [line for line in rules.problems(job) if told in line], rules.problems(job)


def rule(policy: str, ttl_s: int = 0, **condition: str) -> dict[str, Any]:
    return {"policy": policy, "condition": {"ttlSeconds": ttl_s, **(condition or {"jobStatus": "FAILED"})}}


@pytest.mark.parametrize(
    ("strategy", "told"),
    [
        ({}, "deletionStrategy: must have deletionRules, or onSuccess and onFailure"),
        ({"onSuccess": {"policy": "DeleteSelf"}}, "deletionStrategy.onFailure: must have a policy"),
        (
            {"onSuccess": {"policy": "DeleteWorkers"}, "onFailure": {"policy": "DeleteSelf"}},
            "deletionStrategy.onSuccess.policy: must not be DeleteWorkers with enableInTreeAutoscaling: true",
        ),
        (
            {"deletionRules": [rule("DeleteCluster", 9), rule("DeleteSelf", 3)]},
            "deletionRules: DeleteSelf must not come before DeleteCluster for 'FAILED', but got 3 s, 9 s",
        ),
        ({"deletionRules": [rule("DeleteSelf")] * 2}, "deletionRules[1]: must not repeat DeleteSelf for 'FAILED'"),
        ({"deletionRules": [rule("DeleteSelf", -1)]}, "condition.ttlSeconds: must be at least 0, but got -1"),
        (
            {"deletionRules": [rule("DeleteSelf", jobStatus="FAILED", jobDeploymentStatus="Failed")]},
            "deletionRules[0].condition: must have one of jobStatus and jobDeploymentStatus",
        ),
    ],
)
def test_a_deletion_strategy_is_consistent(job: Any, strategy: Any, told: str) -> None:
    job["spec"] |= {"deletionStrategy": strategy, "shutdownAfterJobFinishes": False, "ttlSecondsAfterFinished": 0}
    job["spec"]["suspend"] = False
    del job["metadata"]["labels"][rules.QUEUE_LABEL]
    lines = rules.problems(job)
    assert len(lines) == 1 and told in lines[0], lines


def test_deletion_rules_and_a_shutdown_exclude_each_other(job: Any) -> None:
    job["spec"]["deletionStrategy"] = {"deletionRules": [rule("DeleteSelf", 3), rule("DeleteCluster", 3)]}
    told = "spec.deletionStrategy.deletionRules: must not be given beside shutdownAfterJobFinishes: true"
    assert rules.problems(job) == [told]


def test_cards_are_whole_and_asked_for_as_they_are_limited(job: Any) -> None:
    for requests, limits in (({}, "0.5"), ({"nvidia.com/gpu": "1"}, "2")):
        job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"] = {
            "requests": requests,
            "limits": {"nvidia.com/gpu": limits},
        }
        told = f"{POD}.containers[0].resources.limits.nvidia.com/gpu: must be whole, and the same as requested"
        assert rules.problems(job) == [told]


def test_a_config_map_holds_a_mebibyte() -> None:
    config_map: Any = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"k": "x" * (2**20 - 1)},
    }
    assert rules.problems(config_map) == []
    config_map["data"] = {"k": "x" * 2**20, "a/b": ""}
    assert rules.problems(config_map) == [
        "data.a/b: must be named with letters, digits, dots, dashes and underscores",
        "data: must hold at most 1 MiB, but got 1.0 MiB",
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every mapping in a document, apart from those whose keys are free."""
    free = {"labels", "annotations", "rayStartParams", "requests", "limits", "data"}
    if isinstance(value, dict) and not (path and path[-1] in free):
        return [path, *(place for key, part in value.items() for place in places(part, (*path, key)))]
    if isinstance(value, list):
        return [place for index, part in enumerate(value) for place in places(part, (*path, index))]
    return []


@given(st.data())
@settings(max_examples=60)
def test_a_key_that_nobody_knows_is_refused_wherever_it_stands(data: st.DataObject) -> None:
    job = made()
    place = data.draw(st.sampled_from(places(job)))
    mapping = job
    for part in place:
        mapping = mapping[part]
    mapping["nobodyKnows"] = data.draw(st.one_of(st.none(), st.integers(), st.text(), st.just({})))
    path = schema.path_text([*place, "nobodyKnows"])
    assert [line for line in rules.problems(job) if line.startswith(f"{path}: unknown key")]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


@given(st.data())
@settings(max_examples=60)
def test_whatever_is_wrong_is_told_and_never_raised(data: st.DataObject) -> None:
    job = made()
    for _ in range(data.draw(st.integers(1, 3))):
        mapping, place = job, data.draw(st.sampled_from([one for one in places(job) if one]))
        for part in place[:-1]:
            mapping = mapping[part]
        if data.draw(st.booleans()) or isinstance(mapping, list):
            mapping[place[-1]] = data.draw(ANYTHING)
        else:
            mapping.pop(place[-1], None)
        if not [one for one in places(job) if one]:
            break
    lines = rules.problems(job)
    assert all(line.isprintable() for line in lines), lines


def test_quantities() -> None:
    written = {"500m": 0.5, "2": 2.0, 3: 3.0, "8Gi": 8 * 2**30, "1e3": 1000.0, "1k": 1000.0, "1.5Mi": 1.5 * 2**20}
    assert {text: quantity(text) for text in written} == written


def test_the_schema_is_that_of_the_crd() -> None:
    crd = next(
        (p / "shared/kuberay/ray.io_rayjobs.yaml" for p in Path(__file__).parents if (p / "shared").is_dir()), None
    )
    if crd is None or not crd.is_file():
        pytest.skip("needs KubeRay's CRD, ray.io_rayjobs.yaml, in shared/kuberay beside the checkout")
    tree = yaml.load(crd.read_bytes(), yaml.CSafeLoader)
    version = next(one for one in tree["spec"]["versions"] if one["name"] == "v1")["schema"]["openAPIV3Schema"]
    del version["properties"]["status"]
    vendored = Path(schema.__file__).with_name("rayjob-v1.json.xz")
    assert json.loads(lzma.decompress(vendored.read_bytes())) == version
