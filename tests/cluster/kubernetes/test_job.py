"""What `tuner kubernetes` writes for a sweep."""

from __future__ import annotations

import base64
import json
import math
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.cluster.kubernetes.making import gpu_spec, ray_job, spec
from tuner.base.errors import UsageError
from tuner.cluster.kubernetes.documents import to_yaml
from tuner.cluster.kubernetes.job import manifest
from tuner.cluster.kubernetes.naming import DNS_1035
from tuner.cluster.kubernetes.options import Options, job_name
from tuner.cluster.kubernetes.sizing import RAY_BYTES, TRIAL_BYTES, WorkerPod
from tuner.spec import load_spec

GI = 2**30


def container(job: Any, group: int | None = 0) -> Any:
    cluster = job["spec"]["rayClusterSpec"]
    return pod(cluster["headGroupSpec"] if group is None else cluster["workerGroupSpecs"][group])["containers"][0]


def pod(group: Any) -> Any:
    return group["template"]["spec"]


def test_the_job_starts_the_sweep_or_goes_on_with_it_each_time() -> None:
    job = ray_job(spec(name="Mnist.1"))["spec"]
    assert job["entrypoint"] == "tuner run sweep.yaml --shipped --name Mnist.1 --or-resume"
    assert job["backoffLimit"] == 3
    assert job["shutdownAfterJobFinishes"] is True and job["ttlSecondsAfterFinished"] > 0
    assert "suspend" not in job


def test_the_cluster_scales_itself_and_asks_for_a_token() -> None:
    cluster = ray_job(spec())["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == version("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    assert cluster["autoscalerOptions"]["version"] == "v2"


def test_the_head_runs_no_trial() -> None:
    head = ray_job(gpu_spec(1))["spec"]["rayClusterSpec"]["headGroupSpec"]
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    assert "nvidia.com/gpu" not in pod(head)["containers"][0]["resources"]["limits"]


@pytest.mark.parametrize(
    ("gpus", "cpus", "options", "trials", "cards", "cpus_in_all"),
    [
        (0, 1, {}, 1, 0, 1),
        (0, 0.5, {}, 1, 0, 1),
        (0, 2, {"trials_per_worker": 4}, 4, 0, 8),
        (0.25, 1, {}, 4, 1, 4),
        (0.3, 1, {}, 3, 1, 3),
        (0.5, 3, {}, 2, 1, 6),
        (0.25, 1, {"trials_per_worker": 6}, 6, 2, 6),
        (0.25, 1, {"trials_per_worker": 2}, 2, 1, 2),
        (1, 4, {}, 1, 1, 4),
        (2, 4, {}, 1, 2, 4),
        (2, 4, {"trials_per_worker": 4}, 4, 8, 16),
    ],
)
def test_workers_have_whole_cards_for_their_trials(
    gpus: float, cpus: float, options: dict[str, int], trials: int, cards: int, cpus_in_all: int
) -> None:
    job = ray_job(gpu_spec(gpus, cpus), **options)
    group = job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    limits = container(job)["resources"]["limits"]
    assert container(job)["resources"]["requests"] == limits
    assert limits.get("nvidia.com/gpu") == (str(cards) if cards else None)
    assert limits["cpu"] == str(cpus_in_all)
    assert limits["memory"] == f"{(trials * TRIAL_BYTES + RAY_BYTES) // 2**20}Mi"
    assert group["groupName"] == ("gpu-workers" if gpus else "cpu-workers")
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (1, 1, 8)
    assert ("tolerations" in pod(group)) == bool(cards)


def test_memory_is_what_the_spec_or_the_option_says() -> None:
    made = spec(failures={"worker_memory": "8GiB"})
    assert WorkerPod.of(made, Options()).memory_bytes == 10 * GI + RAY_BYTES
    assert WorkerPod.of(made, Options(memory_bytes=3 * GI, trials_per_worker=2)).memory_bytes == 6 * GI + RAY_BYTES


@given(gpus=st.sampled_from([0, 0.1, 0.2, 0.25, 1 / 3, 0.5, 0.7, 1, 2, 3]), trials=st.integers(1, 9))
def test_no_pod_has_a_card_too_many_or_too_few(gpus: float, trials: int) -> None:
    worker = WorkerPod.of(gpu_spec(gpus), Options(trials_per_worker=trials))
    on_a_card = math.floor(1 / gpus + 1e-9) if 0 < gpus < 1 else 1
    assert worker.gpus == (math.ceil(trials / on_a_card) if gpus < 1 else trials * gpus) * bool(gpus)


def test_cards_for_any_number_of_trials_are_told_at_once() -> None:
    assert WorkerPod.of(gpu_spec(0.25), Options(trials_per_worker=10**9)).gpus == 250_000_000


def test_a_small_sweep_never_has_more_workers_than_trials() -> None:
    assert WorkerPod.of(gpu_spec(0.5, num_trials=3), Options()).max_pods == 2
    assert WorkerPod.of(spec(num_trials=3), Options(min_workers=5)).max_pods == 5
    assert WorkerPod.of(spec(num_trials=3), Options(max_workers=20)).max_pods == 20


def test_a_queue_is_asked_only_on_request() -> None:
    job = ray_job(spec(), queue="team-a")
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert job["spec"]["suspend"] is True
    assert "kueue" not in str(ray_job(spec()))


def test_secrets_are_named_and_never_held() -> None:
    job = ray_job(spec(), secrets=("aws", "mlflow"), service_account="sweeps")
    for group in (None, 0):
        assert container(job, group)["envFrom"] == [{"secretRef": {"name": "aws"}}, {"secretRef": {"name": "mlflow"}}]
    groups = [job["spec"]["rayClusterSpec"]["headGroupSpec"], *job["spec"]["rayClusterSpec"]["workerGroupSpecs"]]
    assert [pod(group)["serviceAccountName"] for group in groups] == ["sweeps", "sweeps"]


def test_pods_run_as_nobody_special() -> None:
    job = ray_job(spec())
    for group in (job["spec"]["rayClusterSpec"]["headGroupSpec"], job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]):
        assert pod(group)["securityContext"]["runAsNonRoot"] is True
        context = pod(group)["containers"][0]["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod(job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0])["automountServiceAccountToken"] is False


def test_shared_folders_are_in_every_pod_and_the_driver_knows_them() -> None:
    job = ray_job(spec(), volumes=("sweeps:/mnt/sweeps", "data:/mnt/data"))
    for group in (None, 0):
        assert {"name": "TUNER_SHARED_FOLDERS", "value": "/mnt/sweeps:/mnt/data"} in container(job, group)["env"]
        paths = [mount["mountPath"] for mount in container(job, group)["volumeMounts"]]
        assert paths[1:] == ["/mnt/sweeps", "/mnt/data"]


def test_the_spec_and_the_users_code_become_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import layers_of_mine\nfrom parts import blocks\n")
    (tmp_path / "layers_of_mine.py").write_text("A = 'é'\n")
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "blocks.py").write_text("B = 1\n")
    (tmp_path / "unrelated.py").write_text("secret = 1\n")
    written = spec().resolved() | {"trainable": "./model.py:Model"}
    (tmp_path / "sweep.yaml").write_text(json.dumps(written))
    config_map, job = manifest(load_spec(tmp_path / "sweep.yaml"), Options(), {})
    assert config_map["metadata"]["name"] == job["metadata"]["name"]
    volume = pod(job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0])["volumes"][0]["configMap"]
    assert volume["name"] == config_map["metadata"]["name"]
    files = {item["path"]: config_map["data"][item["key"]] for item in volume["items"]}
    code = {path: text for path, text in files.items() if path.startswith("code/")}
    assert code == {
        f"code/{path}": (tmp_path / path).read_text()
        for path in ("model.py", "layers_of_mine.py", "parts/__init__.py", "parts/blocks.py")
    }
    shipped = YAML(typ="safe").load(files["sweep.yaml"])
    assert shipped["trainable"] == "code/model.py:Model"
    assert str(tmp_path) not in json.dumps([config_map, job])
    for group in (None, 0):
        mount = container(job, group)["volumeMounts"][0]
        assert container(job, group)["workingDir"] == mount["mountPath"] and mount["readOnly"]


def test_code_that_is_too_large_is_refused_and_any_bytes_travel(tmp_path: Path) -> None:
    model = tmp_path / "model.py"
    made = spec(trainable=f"{model}:Model")
    model.write_text("#" * 2**20)
    with pytest.raises(
        UsageError, match=r"must be at most 1 MiB for a ConfigMap, but got 1.0 MiB \(the largest: code/"
    ):
        manifest(made, Options(), {})
    model.write_bytes(b"\xff")
    (config_map, job) = manifest(made, Options(), {})
    keys = {item["path"]: item["key"] for item in pod_volume(job)}
    assert base64.b64decode(config_map["binaryData"][keys["code/model.py"]]) == b"\xff"


def pod_volume(job: Any) -> Any:
    return pod(job["spec"]["rayClusterSpec"]["headGroupSpec"])["volumes"][0]["configMap"]["items"]


NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@given(NAMES)
def test_every_sweep_has_a_name_that_kubernetes_takes(name: str) -> None:
    made = job_name(name)
    assert len(made) <= 47 and DNS_1035.fullmatch(made)
    assert made == name or made != job_name(made.upper())


@given(NAMES, NAMES)
def test_two_sweeps_never_share_a_job(one: str, other: str) -> None:
    assert (one == other) == (job_name(one) == job_name(other))


WRONG_IMAGES = (
    "",
    "a b",
    "http://x/y",
    "a:b:c",
    "a::b",
    "a/",
    "img:",
    "UPPER/Name:tag",
    "a",
    "a@sha256:1",
    "x.y/:1",
    "ä:1",
)
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "image",
    [
        "tuner:0.1.0-gpu",
        "ghcr.io/me/tuner:1",
        "localhost:5000/tuner:1",
        "registry:5000/a/b__c-d.e:v1.0",
        f"a@{DIGEST}",
        f"x.y/a:1@{DIGEST}",
    ],
)
def test_images_are_named_by_tag_or_digest(image: str) -> None:
    assert Options(image=image).problems() == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"namespace": "Team"}, "--namespace: must be lower-case"),
        ({"secrets": ("ok", "Not_ok")}, "--secret: must be lower-case letters, digits and dashes, but got 'Not_ok'"),
        ({"service_account": ""}, "--service-account: must be lower-case"),
        ({"queue": "a b"}, "--queue: must be the name of a Kueue LocalQueue"),
        *(
            ({"image": image}, f"--image: must be [REGISTRY/]NAME:TAG or [REGISTRY/]NAME@DIGEST, but got {image!r}")
            for image in WRONG_IMAGES
        ),
        ({"min_workers": 0}, "--min-workers: must be at least 1, but got 0"),
        ({"trials_per_worker": 0}, "--trials-per-worker: must be at least 1, but got 0"),
        ({"trials_per_worker": 10**400}, "--trials-per-worker: must be at most 1000000000, but got a whole number of"),
        ({"min_workers": 3, "max_workers": 2}, "--max-workers: must not be below --min-workers 3, but got 2"),
        ({"retries": -1}, "--retries: must be at least 0"),
        ({"retries": 2**31}, "--retries: must be at most 1000000000, but got 2147483648"),
        ({"max_workers": 2**31}, "--max-workers: must be at most 1000000000, but got 2147483648"),
        ({"volumes": ("claim",)}, "--volume: must be CLAIM:/PATH, but got 'claim'"),
        ({"volumes": ("claim:relative",)}, "--volume: must be CLAIM:/PATH"),
        ({"volumes": ("a:/x", "b:/x")}, "--volume: two claims must not have the same path"),
        ({"volumes": ("a:/x", "b:/y/..//x/")}, "--volume: two claims must not have the same path"),
        ({"volumes": ("claim:/home/tuner/sweep/",)}, "--volume: must be apart from the pods' own /home/tuner/sweep"),
        ({"volumes": ("claim:/home/tuner",)}, "--volume: must be apart from the pods' own /home/tuner/sweep, but got"),
        ({"volumes": ("claim:/opt/tuner/lib",)}, "--volume: must be apart from the pods' own /opt/tuner"),
        ({"volumes": ("claim:/x/..",)}, "--volume: must be CLAIM:/PATH, but got 'claim:/x/..'"),
    ],
)
def test_options_are_judged_by_name(options: dict[str, Any], told: str) -> None:
    assert [told in line for line in Options(**options).problems()] == [True]


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["on", "no", "Y", "0o7", "1e3", "1:30", "~", ".inf", "a\nb\n", "a\n\nb", " a\n", "a \nb", "- a", "a: b", "#", "é\n"]
)


@example({"a\nb": "c\nd\n", "on": "off"})
@given(st.dictionaries(TEXTS.filter(bool), TEXTS | st.integers() | st.booleans() | st.lists(TEXTS)))
def test_documents_say_the_same_in_both_versions_of_yaml(document: dict[str, Any]) -> None:
    text = to_yaml([document, document])
    for number in ((1, 1), (1, 2)):
        yaml = YAML(typ="safe", pure=True)
        yaml.version = number
        assert list(yaml.load_all(text)) == [document, document]


def test_nothing_of_the_machine_is_in_a_manifest() -> None:
    text = to_yaml(manifest(gpu_spec(0.5), Options(), {}))
    assert os.getcwd() not in text and str(Path.home()) + "/" not in text.replace("/home/tuner/", "")
