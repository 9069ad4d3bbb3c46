"""What a user adds to the pods, by flags and by a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import tuner
from tests.cluster.kubernetes.making import gpu_spec, ray_job
from tests.cluster.kubernetes.operator import rules
from tests.cluster.kubernetes.test_kubectl import SHARED
from tuner.base.errors import UsageError
from tuner.cluster.kubernetes.options import Options
from tuner.cluster.kubernetes.pod_template import merged, read_template

FLAGS: dict[str, Any] = {
    "node_selectors": ("team=ml", "worker:cloud.example.com/pool=gpu-spot"),
    "tolerations": ("worker:spot=true:NoSchedule", "team", "a=b"),
    "labels": ("cost/center=42",),
    "annotations": ("note=any text: at all",),
    "priority_class": "low",
    "pull_secrets": ("registry",),
}
TEMPLATE = """
metadata: {labels: {own: "yes"}}
spec:
  runtimeClassName: nvidia
  nodeSelector: {zone: a}
  tolerations: [{key: mine, operator: Exists}]
  volumes: [{name: scratch, emptyDir: {}}]
  containers:
    - name: any
      env: [{name: PGHOST, value: theirs}, {name: NEW, value: "1"}]
      resources: {limits: {ephemeral-storage: 10Gi}, requests: {ephemeral-storage: 10Gi}}
      volumeMounts: [{name: scratch, mountPath: /scratch}]
    - {name: sidecar, image: "logs:1"}
"""


def templates(job: Any) -> tuple[Any, Any]:
    cluster = job["spec"]["rayClusterSpec"]
    return cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]


def test_flags_are_in_the_pods_and_the_operator_takes_them() -> None:
    job = json.loads(json.dumps(ray_job(gpu_spec(1), **FLAGS)))
    assert rules.problems(job) == []
    head, worker = templates(job)
    assert head["spec"]["nodeSelector"] == {"team": "ml"}
    assert worker["spec"]["nodeSelector"] == {"team": "ml", "cloud.example.com/pool": "gpu-spot"}
    tolerated = worker["spec"]["tolerations"]
    assert tolerated[0]["key"] == "nvidia.com/gpu"
    assert {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"} in tolerated
    assert head["spec"]["tolerations"] == [
        {"key": "team", "operator": "Exists"},
        {"key": "a", "operator": "Equal", "value": "b"},
    ]
    for pod in (head, worker, job["spec"]["submitterPodTemplate"]):
        assert pod["metadata"] == {"labels": {"cost/center": "42"}, "annotations": {"note": "any text: at all"}}
        assert pod["spec"]["priorityClassName"] == "low" and pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert job["metadata"]["labels"]["cost/center"] == "42"
    assert job["metadata"]["annotations"]["tuner.sweep"] == "digits"
    assert "submitterPodTemplate" not in ray_job(gpu_spec(1))["spec"]


def test_a_template_is_laid_over_our_pods(tmp_path: Path) -> None:
    (file := tmp_path / "pod.yaml").write_text(TEMPLATE)
    job = json.loads(json.dumps(ray_job(gpu_spec(1), pod_template=read_template(file), secrets=("keys",))))
    assert rules.problems(job) == []
    for name, pod in zip(("ray-head", "ray-worker"), templates(job), strict=True):
        spec = pod["spec"]
        ray, sidecar = spec["containers"]
        assert (ray["name"], sidecar["name"]) == (name, "sidecar")
        assert ray["image"].startswith("tuner:") and ray["workingDir"] == "/home/tuner/sweep"
        assert {"name": "NEW", "value": "1"} in ray["env"] and ray["envFrom"]
        assert ray["resources"]["limits"]["ephemeral-storage"] == "10Gi" and "memory" in ray["resources"]["limits"]
        assert [mount["mountPath"] for mount in ray["volumeMounts"]] == ["/home/tuner/sweep", "/scratch"]
        assert [volume["name"] for volume in spec["volumes"]] == ["sweep", "scratch"]
        assert spec["runtimeClassName"] == "nvidia" and spec["securityContext"]["runAsNonRoot"]
        assert pod["metadata"]["labels"] == {"own": "yes"}
    assert len(templates(job)[1]["spec"]["tolerations"]) == 2


@pytest.mark.parametrize("kind", ["role", "pod", "template"])
def test_a_file_may_be_for_one_role_or_a_whole_object(tmp_path: Path, kind: str) -> None:
    texts = {
        "role": "worker: {spec: {nodeName: w}}",
        "pod": "{apiVersion: v1, kind: Pod, spec: {nodeName: w}}",
        "template": "{apiVersion: v1, kind: PodTemplate, template: {spec: {nodeName: w}}}",
    }
    (file := tmp_path / "pod.yaml").write_text(texts[kind])
    head, worker = templates(ray_job(gpu_spec(1), pod_template=read_template(file)))
    assert worker["spec"]["nodeName"] == "w" and (kind == "role") == ("nodeName" not in head["spec"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "is no YAML"),
        ("3", "must be a pod template, a mapping, but got 3"),
        ("spek: {}", "spek: unknown key; did you mean 'spec'?"),
        ("spec: {nodeSelectors: {}}", "spec.nodeSelectors: unknown key; did you mean 'nodeSelector'?"),
        ("spec: 3", "spec: must be a mapping, but got 3"),
        ("metadata: {name: x}", "metadata.name: must be labels or annotations"),
        ("spec: {containers: [{image2: x, command: [x]}]}", "spec.containers[0].command: is set by Tuner"),
        ("spec: {containers: [{name: a}, {name: b}]}", "spec.containers: only one may be without an image"),
        ("spec: {containers: x}", "spec.containers: must be a list of mappings"),
        ("spec: {volumes: [{name: sweep}]}", "spec.volumes: must not be named sweep"),
        ("worker: 3", "must be a pod template, a mapping, but got 3"),
    ],
)
def test_what_cannot_be_merged_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    (file := tmp_path / "pod.yaml").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_template(file)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"--pod-template {file}: ") and told in line


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"node_selectors": ("pool",)}, "--node-selector: must be KEY=VALUE, such as example.com/pool=spot, but got"),
        ({"node_selectors": ("worker:a b=c",)}, "--node-selector: must be KEY=VALUE"),
        ({"labels": ("a=b c",)}, "--label: must be KEY=VALUE"),
        ({"annotations": ("=x",)}, "--annotation: must be KEY=VALUE, such as example.com/owner=me"),
        ({"tolerations": ("a=b:Never",)}, "--toleration: must have an effect of NoSchedule, PreferNoSchedule, NoExec"),
        ({"tolerations": ("=b",)}, "--toleration: must be KEY, KEY=VALUE or KEY=VALUE:EFFECT, but got '=b'"),
        ({"priority_class": "No"}, "--priority-class: must be lower-case"),
        ({"pull_secrets": ("a_b",)}, "--pull-secret: must be lower-case"),
    ],
)
def test_wrong_flags_are_one_line(options: dict[str, Any], told: str) -> None:
    (line,) = Options(**options).problems()
    assert line.startswith(told)


def test_lists_without_names_grow() -> None:
    assert merged([1, 2], [2, 3], "args") == [1, 2, 3]
    assert merged({"a": {"b": 1}}, {"a": {"c": [1]}}) == {"a": {"b": 1, "c": [1]}}


def test_the_command_has_them_all(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(TEMPLATE)
    flags = ["--node-selector", "team=ml", "--toleration", "spot", "--label", "a=b", "--annotation", "c=d"]
    flags += ["--priority-class", "low", "--pull-secret", "registry", "--pod-template", str(tmp_path / "pod.yaml")]
    text = tuner("kubernetes", "digits", *SHARED, *flags).stdout
    for word in ("team: ml", "key: spot", "a: b", "c: d", "priorityClassName: low", "runtimeClassName: nvidia"):
        assert word in text
    said = tuner("kubernetes", "digits", *SHARED, "--pod-template", str(tmp_path / "none.yaml"), exit_code=2).stderr
    assert said == f"--pod-template {tmp_path / 'none.yaml'}: cannot be read: No such file or directory\n"
