"""`tuner check --cluster`: what Ray's schema refuses and what it lets through, all of a file together."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.simulation import make_spec
from tuner.base.errors import UsageError
from tuner.cli.output import spec_path
from tuner.cluster import check as checking
from tuner.cluster.check import ClusterCheck, check_cluster, judge
from tuner.cluster.pins import locked, pin_problems
from tuner.cluster.schema import read_cluster
from tuner.spec import SweepSpec, dump_yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ("cluster.yaml", "deploy/gcp.yaml", "deploy/on-premise.yaml")
SHARED: dict[str, Any] = {"storage": "s3://bucket/sweeps", "tracking": {"uri": "https://mlflow.example.com"}}
Change = Callable[[dict[str, Any]], Any]
RAY, TENSORFLOW = (locked().versions[name] for name in ("ray", "tensorflow"))


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def checked(tmp_path: Path, change: Change, base: str = "cluster.yaml", spec: SweepSpec | None = None) -> ClusterCheck:
    """A shipped file, changed."""
    cluster = copy.deepcopy(read_cluster(ROOT / base))
    change(cluster)
    path = tmp_path / "c.yaml"
    path.write_text(dump_yaml(cluster))
    return check_cluster(path, spec, "s.yaml")


def problems(tmp_path: Path, change: Change, base: str = "cluster.yaml", spec: SweepSpec | None = None) -> list[str]:
    found = checked(tmp_path, change, base, spec).problems
    return [problem.removeprefix(f"{tmp_path / 'c.yaml'}: ") for problem in found]


def put(path: str, value: Any) -> Change:
    """Sets a field; None takes it away."""

    def change(cluster: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for part in parents:
            cluster = cluster[part]
        if value is None:
            del cluster[last]
        else:
            cluster[last] = value

    return change


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_are_sound_and_fit_a_gpu_sweep(name: str) -> None:
    spec = make_spec(**SHARED, resources={"gpus_per_trial": 0.25, "cpus_per_trial": 2})
    found = check_cluster(ROOT / name, spec)
    assert found.problems == []
    assert found.max_nodes == {"cluster.yaml": 9, "deploy/gcp.yaml": 9, "deploy/on-premise.yaml": 3}[name]
    assert found.slots == (None if "premise" in name else 32)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_leave_nothing_to_ray_s_defaults(name: str) -> None:
    from ray.autoscaler._private.providers import _get_default_config

    written = read_cluster(ROOT / name)
    assert set(_get_default_config(written["provider"])) - set(written) == set()
    text = (ROOT / name).read_text()
    assert "--dashboard-host=127.0.0.1" in text and text.count("RAY_AUTH_MODE=token") == 3
    assert written["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert text.count("--require-hashes") == 3 and "pip install ray" not in text


UNKNOWN = [
    ("max_workrs", "max_workers"),
    ("provider.regoin", "region"),
    ("provider.key_pair", {"key_nme": "x"}),
    ("auth.ssh_usr", "ssh_user"),
    ("available_node_types.gpu.min_worker", "min_workers"),
    ("available_node_types.gpu.node_config.InstanceTyp", "InstanceType"),
    ("available_node_types.gpu.node_config.InstanceMarketOptions.SpotOption", "SpotOptions"),
    ("available_node_types.head.node_config.MetadataOptions.HttpToken", "HttpTokens"),
]


@pytest.mark.parametrize(("path", "meant"), UNKNOWN)
def test_a_misspelt_key_is_told_with_its_place_and_the_nearest_one(tmp_path: Path, path: str, meant: Any) -> None:
    if isinstance(meant, dict):
        [problem] = problems(tmp_path, put(path, meant))
        assert problem == "provider.key_pair.key_nme: unknown key; did you mean 'key_name'?"
    else:
        assert f"{path}: unknown key; did you mean {meant!r}?" in problems(tmp_path, put(path, 1))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("provider.region", "us-wset-2", "provider.region: must be a region of AWS, but got 'us-wset-2'; did you mean"),
        ("provider.availability_zone", "us-east-1a", "must be zones of the region us-west-2, but got 'us-east-1a'"),
        ("provider.type", "awz", "provider.type: must be one of Ray's providers, but got 'awz'; did you mean 'aws'?"),
        ("provider.region", None, "provider.region: is required, but is missing"),
        ("provider.type", None, "provider.type: is required, but is missing"),
        ("available_node_types.gpu.node_config.InstanceType", "g5.2xlrge", "did you mean 'g5.2xlarge'?"),
        ("available_node_types.gpu.node_config.InstanceMarketOptions.MarketType", "spto", "did you mean 'spot'?"),
        ("available_node_types.gpu.node_config.EbsOptimized", "yes please", "EbsOptimized: must be true or false"),
        ("available_node_types.gpu.node_config.SecurityGroupIds", "sg-1", "SecurityGroupIds: must be a list"),
        ("available_node_types.gpu.node_config.InstanceType", None, "InstanceType: is required, but is missing"),
        ("available_node_types.gpu.resources.GPU", 0.5, "resources.GPU: must be a whole number, but got 0.5"),
        ("idle_timeout_minutes", -1, "idle_timeout_minutes: must be at least 0, but got -1"),
        ("head_node_type", "haed", "but got 'haed'; did you mean 'head'?"),
        ("available_node_types.gpu.min_workers", 9, "must not be above its max_workers, but got min 9, max 8"),
        ("available_node_types.gpu.max_workers", -1, "gpu.max_workers: must be at least 0, but got -1"),
        ("min_workers", 3, "min_workers: unknown key"),
        ("docker", {"image": "rayproject/ray:2.50.0-py311-gpu", "container_name": "ray"}, "but got 2.50.0"),
        ("docker", {"image": "rayproject/ray:latest-gpu", "container_name": "ray"}, "must be an image of ray 2.60.0"),
        ("docker", {"image": "rayproject/ray:2.60.0-py310", "container_name": "ray"}, "but got 3.10"),
        ("head_start_ray_commands", ["ray start --head"], "without which no worker comes"),
        ("file_mounts", {"~/x": 5}, "file_mounts.~/x: must be a path of this machine, but got 5"),
        ("head_start_ray_commands", ["ray stop"], "must hold `ray start --head …`, but none does"),
        (
            "head_start_ray_commands",
            ["ray start --port=6379 --head-x"],
            "must hold `ray start --head …`, but none does",
        ),
        ("docker", {"image": f"rayproject/ray:{RAY}-py311"}, "docker.container_name: is required where docker has an"),
        ("docker", {"container_name": "ray"}, "docker.image: is required where docker has a container, but is missing"),
        ("available_node_types.gpu.resources", {"cpu": 8}, "gpu.resources.cpu: unknown resource; did you mean 'CPU'?"),
        ("idle_timeout_minutes", float("nan"), "idle_timeout_minutes: must be a number, but got nan"),
        ("provider", {"type": "aliyun"}, "must be one of Ray's providers, but got 'aliyun'"),
        ("provider", {"type": "fake_multinode"}, "must be one of Ray's providers, but got 'fake_multinode'"),
        ("setup_commands", None, "setup_commands[1] (Ray's default, as the file has none): must install Python 3.11"),
    ],
)
def test_what_could_not_work_is_one_line(tmp_path: Path, path: str, value: Any, problem: str) -> None:
    found = problems(tmp_path, put(path, value))
    assert [line for line in found if problem in line] and len(found) <= 2


@pytest.mark.parametrize("kind", ["azure", "vsphere", "external", "spark"])
def test_a_provider_whose_machines_nobody_here_knows_is_a_warning(tmp_path: Path, kind: str) -> None:
    found = checked(tmp_path, put("provider", {"type": kind}))
    assert found.warnings[0].endswith(f"node_config was not checked: the keys of provider {kind} are not known here")


def test_a_password_in_a_file_is_not_shown(tmp_path: Path) -> None:
    found = checked(tmp_path, put("file_mounts", {"~/x": "s3://me:canary@bucket/x"}))
    assert "file_mounts.~/x: there is no s3://bucket/x" in str(found.warnings) and "canary" not in str(found)


@pytest.mark.parametrize("tag", ["", f":{RAY}-py311"])
def test_an_image_may_be_named_by_its_digest(tmp_path: Path, tag: str) -> None:
    """The tag before a digest says its version; where there is none, nobody here can know it."""
    image = f"rayproject/ray{tag}@sha256:{'0' * 64}"
    found = checked(tmp_path, put("docker", {"image": image, "container_name": "ray"}))
    told = [line for line in found.warnings if line.startswith("docker.image: a digest alone does not say its version")]
    assert found.problems == [] and len(told) == (not tag)
    assert all(f"it must be an image of ray {RAY}" in line for line in told)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "command", ["a" * 60_000, "a==" * 20_000, "[a" * 30_000, "pip " * 15_000, "pip add " + "ray " * 15_000]
)
def test_a_long_command_is_read_in_a_moment(command: str) -> None:
    """Such as one that holds a key."""
    assert len(pin_problems({"setup_commands": [command]}, locked(), {})) <= 1


@pytest.mark.parametrize(
    ("spec", "override", "told"),
    [
        ("none.yaml", "num_trials=0", "none.yaml: cannot be read"),
        ("digits", "num_trials=0", "num_trials: must be at least 1"),
        ("digits", "space.unts=3", "space.unts: the trainable has no such parameter"),
    ],
)
def test_a_cluster_file_that_is_not_there_hides_nothing_of_the_spec(
    tmp_path: Path, spec: str, override: str, told: str
) -> None:
    wrong = tmp_path / "wrong.yaml"
    with pytest.raises(UsageError) as refused:
        judge(spec_path(spec), [override], None, None, wrong)
    first, *_, last = str(refused.value).splitlines()
    assert told in first
    assert last == f"{wrong}: cannot be read: No such file or directory"


def test_minima_together_must_not_be_above_the_maximum(tmp_path: Path) -> None:
    def change(cluster: dict[str, Any]) -> None:
        cluster["available_node_types"]["more"] = {**cluster["available_node_types"]["gpu"], "min_workers": 5}
        cluster["available_node_types"]["gpu"]["min_workers"] = 5

    [problem] = problems(tmp_path, change)
    assert problem == "max_workers: must be at least the node types' min_workers together, 10, but got 8"


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (f"pip install 'ray[default]=={RAY}' tensorflow=={TENSORFLOW}", None),
        ("pip install 'ray[default]==2.9.3'", f"must install ray=={RAY}, as requirements.lock has it, but got 2.9.3"),
        ("uv pip install --upgrade tensorflow==2.15.*", f"must install tensorflow=={TENSORFLOW}"),
        ("pip install 'ray[default]>=2.0'", f"must install ray=={RAY}, as requirements.lock has it, but names no"),
        ("which ray || pip install -U ray", f"must install ray=={RAY}"),
        ("pip install https://example.com/ray-3.0.0.dev0-cp311-cp311-manylinux_x86_64.whl", "but got 3.0.0.dev0"),
        (f"pip install 'ray @ https://example.com/ray-{RAY}-cp310-cp310-linux_x86_64.whl'", "but got 3.10"),
        ("conda create -y -n env python=3.9", "must install Python 3.11 or newer"),
        ("uv venv --python 3.13 other", "all nodes must have one Python, but got 3.11 in setup_commands[2], 3.13"),
        ("test $x == 1 && apt-get install ray-tools; pip install -r ray.txt", None),
        ("pip install nothing-like-it==1.0 boto3", None),
        ("pip install -r all.lock  # ray and tensorflow==2.15, for python=3.9", None),
        (f"# as locked\npip install ray=={RAY} 'x @ git+https://example.com/x#egg=x' tensorflow==2.15", "tensorflow=="),
    ],
)
def test_other_versions_than_the_lock_file_s_are_told(tmp_path: Path, command: str, problem: str | None) -> None:
    found = problems(tmp_path, lambda cluster: cluster["setup_commands"].append(command))
    assert (problem is None and found == []) or (len(found) == 1 and str(problem) in found[0])


def test_a_newer_python_than_the_lock_file_s_is_a_warning(tmp_path: Path) -> None:
    def change(cluster: dict[str, Any]) -> None:
        cluster["setup_commands"][2] = cluster["setup_commands"][2].replace("3.11.14", "3.12")

    found = checked(tmp_path, change)
    assert found.problems == []
    assert found.warnings[-1].startswith("setup_commands[2]: installs Python 3.12, but requirements.lock was made")


def test_defaults_that_install_something_else_are_told_to_be_ray_s(tmp_path: Path) -> None:
    found = checked(tmp_path, lambda c: [c.pop(key) for key in ("setup_commands", "head_start_ray_commands")])
    [ray, python] = found.problems
    assert "setup_commands[1] (Ray's default, as the file has none): must install ray==" in ray and "3.0.0.dev0" in ray
    assert "3.10" in python
    dashboard, token, *_ = found.warnings
    assert "0.0.0.0 runs code for anybody" in dashboard and "without RAY_AUTH_MODE=token" in token


def test_machines_that_a_coordinator_gives_out_share_files_as_others_do(tmp_path: Path) -> None:
    coordinator = put("provider", {"type": "local", "coordinator_address": "10.0.0.1:9999"})
    found = checked(tmp_path, coordinator, "deploy/on-premise.yaml", make_spec())
    assert found.max_nodes == 3 and len(found.problems) == 2
    assert all("by all 3 nodes" in line or "that all 3 nodes reach" in line for line in found.problems)


def test_a_default_does_not_stand_in_for_what_is_written_wrongly(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, put("setup_commands", "pip install uv"))
    assert problem == "setup_commands: must be a list, but got 'pip install uv'"


def test_all_problems_of_all_kinds_come_together(tmp_path: Path) -> None:
    def change(cluster: dict[str, Any]) -> None:
        cluster["upscaling_sped"] = 1
        cluster["provider"]["regoin"] = 1
        cluster["available_node_types"]["gpu"].update(min_workers=9, node_config={"InstanceType": "g5.2xlarge", "X": 1})
        cluster["setup_commands"].append("pip install ray==1.0")

    found = problems(tmp_path, change, spec=make_spec(resources={"gpus_per_trial": 0.4}))
    places = [line.split(":")[0] for line in found]
    assert places == [
        "upscaling_sped", "provider.regoin", "available_node_types.gpu.node_config.X",
        "available_node_types.gpu.min_workers", "max_workers", "setup_commands[4]", "s.yaml", "s.yaml", "s.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("gpus", "idle"),
    [(0.25, None), (0.5, None), (1, None), (0.33, None), (0.95, None), (0.3, "0.1"), (0.4, "0.2"), (0.6, "0.4")],
)
def test_fractions_of_a_card_must_add_up(tmp_path: Path, gpus: float, idle: str | None) -> None:
    spec = make_spec(**SHARED, resources={"gpus_per_trial": gpus})
    found = problems(tmp_path, lambda cluster: None, spec=spec)
    assert (idle is None and found == []) or f"and {idle} of it stays idle" in found[0]


@pytest.mark.parametrize("resources", [{"cpus_per_trial": 9}, {"gpus_per_trial": 2}])
def test_a_trial_that_fits_on_no_node_type_is_told(tmp_path: Path, resources: dict[str, float]) -> None:
    [problem] = problems(tmp_path, lambda cluster: None, spec=make_spec(**SHARED, resources=resources))
    assert "but no node type has as many (head: 0 CPUs, 0 GPUs; gpu: 8 CPUs, 1 GPUs)" in problem


def test_what_of_a_machine_stays_idle_is_a_warning(tmp_path: Path) -> None:
    few_cpus = make_spec(**SHARED, resources={"gpus_per_trial": 0.25, "cpus_per_trial": 4})
    found = checked(tmp_path, lambda cluster: None, spec=few_cpus)
    assert found.slots == 16 and "node type gpu has CPUs for 2 trials, but GPUs for 4" in found.warnings[-1]
    three_cards = put("available_node_types.gpu.resources.GPU", 3)
    found = checked(tmp_path, three_cards, spec=make_spec(**SHARED, resources={"gpus_per_trial": 2}))
    assert found.problems == [] and "1 of 3 GPUs of node type gpu stay idle" in found.warnings[-1]
    found = checked(tmp_path, lambda cluster: None, spec=make_spec(**SHARED))
    assert "trials without a GPU leave the GPUs of node type gpu idle" in found.warnings[-1]


def test_what_a_cluster_of_one_node_keeps_to_itself_is_no_problem(tmp_path: Path) -> None:
    def alone(cluster: dict[str, Any]) -> None:
        cluster["max_workers"] = 0
        cluster["available_node_types"]["head"]["resources"] = {"CPU": 4}

    assert problems(tmp_path, alone, spec=make_spec()) == []
    assert len(problems(tmp_path, lambda cluster: None, spec=make_spec())) == 2


@pytest.mark.parametrize(
    ("base", "path", "value", "problem"),
    [
        ("deploy/gcp.yaml", "provider.project", "x", "provider.project: unknown key; did you mean 'project_id'?"),
        ("deploy/gcp.yaml", "provider.availability_zone", "us-west1-a", "must be a zone of the region us-central1"),
        ("deploy/gcp.yaml", "available_node_types.gpu.node_config.machinType", "x", "did you mean 'machineType'?"),
        ("deploy/gcp.yaml", "available_node_types.gpu.node_config.scheduling.provisioningModl", "x", "provisioningMod"),
        ("deploy/gcp.yaml", "available_node_types.gpu.node_config.scheduling", [{"preemptable": True}], "preemptible"),
        ("deploy/on-premise.yaml", "provider.head_ips", "x", "provider.head_ips: unknown key; did you mean 'head_ip'?"),
        ("deploy/on-premise.yaml", "provider.worker_ips", ["192.0.2.10"] * 2, "must not be the head's address"),
        ("deploy/on-premise.yaml", "min_workers", 3, "min_workers: must not be above max_workers"),
        ("deploy/on-premise.yaml", "max_workers", 5, "max_workers: must not be above the 2 addresses of"),
        ("deploy/on-premise.yaml", "provider.head_ip", None, "head_ip: is required where there is no coordinator_addr"),
        ("deploy/on-premise.yaml", "provider.worker_ips", None, "provider.worker_ips: is required where there is no"),
        ("deploy/on-premise.yaml", "provider.head_ip", "", "head_ip: must be the head's address, but got ''"),
        ("deploy/on-premise.yaml", "provider.worker_ips", [["a"], "b"], "worker_ips[0]: must be a worker's address"),
        ("deploy/on-premise.yaml", "provider.worker_ips", ["a", None], "worker's address, but got null"),
        ("deploy/on-premise.yaml", "provider.head_ip", "me@host", "must be the head's address, but got 'me@host'"),
        ("deploy/on-premise.yaml", "provider.worker_ips", ["fe80::1", "192.0.2.11:22"], "but got '192.0.2.11:22'"),
        ("deploy/on-premise.yaml", "provider.worker_ips", ["w-1.lan", "192.0.2.300"], "but got '192.0.2.300'"),
        ("deploy/on-premise.yaml", "auth", {}, "auth.ssh_user: is required, but is missing"),
        ("deploy/on-premise.yaml", "auth", None, "auth.ssh_user: is required, but is missing"),
        ("deploy/on-premise.yaml", "cluster_name", "", "cluster_name: must be a name without slashes, but got ''"),
        (
            "deploy/on-premise.yaml",
            "worker_start_ray_commands",
            [],
            "must hold `ray start --address=$RAY_HEAD_IP:6379`",
        ),
        ("deploy/on-premise.yaml", "worker_start_ray_commands", ["echo hi"], "must hold `ray start --address="),
        (
            "deploy/on-premise.yaml",
            "worker_start_ray_commands",
            ["ray start --address=$RAY_HEAD_IP:7000"],
            "must name the head's port, 6379, but got 7000",
        ),
    ],
)
def test_the_other_providers_keys_are_known_too(tmp_path: Path, base: str, path: str, value: Any, problem: str) -> None:
    found = problems(tmp_path, put(path, value), base)
    assert any(problem in line for line in found), found


def test_google_s_form_of_a_mapping_as_a_list_of_one_is_taken(tmp_path: Path) -> None:
    spot = put("available_node_types.gpu.node_config.scheduling", [{"preemptible": True}])
    assert problems(tmp_path, spot, "deploy/gcp.yaml") == []


def test_without_google_s_client_the_outermost_keys_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tuner.cluster import node_config

    monkeypatch.setattr(node_config, "_gcp_schemas", lambda: None)
    assert check_cluster(ROOT / "deploy/gcp.yaml").problems == []
    [problem] = problems(tmp_path, put("available_node_types.gpu.node_config.diks", []), "deploy/gcp.yaml")
    assert problem.endswith("node_config.diks: unknown key; did you mean 'disks'?")


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ({"GroupName": "tuner"}, None),
        (None, "Ray makes a group that is open for ssh from everywhere"),
        ({"GroupName": "x", "IpPermissions": [{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}, "lets everybody in"),
    ],
)
def test_a_security_group_that_is_open_to_all_is_a_warning(tmp_path: Path, value: Any, warning: str | None) -> None:
    found = checked(tmp_path, put("provider.security_group", value))
    told = [line for line in found.warnings if line.startswith("provider.security_group")]
    assert found.problems == [] and (told == [] if warning is None else warning in told[0])


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("cluster.yaml", ["head.node_config.ImageId", "gpu.node_config.ImageId"]),
        ("deploy/gcp.yaml", ["provider.project_id"]),
        ("deploy/on-premise.yaml", ["provider.head_ip"]),
    ],
)
def test_what_is_still_to_be_edited_is_a_warning(name: str, places: list[str]) -> None:
    told = [warning for warning in check_cluster(ROOT / name).warnings if "is an example: put in your own" in warning]
    assert len(told) == len(places) and all(place in line for place, line in zip(places, told, strict=True))


def test_files_that_this_machine_lacks_are_warnings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    warning, *_ = check_cluster(ROOT / "cluster.yaml").warnings
    assert warning.startswith("file_mounts.~/.ray/auth_token: there is no") and "ray get-auth-token --gen" in warning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [true]", "c.yaml: must be YAML, but"),
        ("- a list", "must hold a mapping"),
        ("a: 1\na: 2", "c.yaml: must be YAML, but line 2"),
    ],
)
def test_a_file_is_read_by_a_safe_loader(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        check_cluster(path)


def test_yes_and_no_mean_what_they_mean_to_ray(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        (ROOT / "cluster.yaml").read_text().replace("cache_stopped_nodes: false", "cache_stopped_nodes: no")
    )
    assert check_cluster(path).problems == []


def test_ray_s_launcher_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "launcher_problems", lambda cluster: ["the file: Ray refuses it: so there"])
    assert problems(tmp_path, lambda cluster: None) == ["the file: Ray refuses it: so there"]
    assert "so there" not in str(problems(tmp_path, put("max_workrs", 1)))


def test_a_sweep_s_data_is_where_file_mounts_put_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "faces.npz", x_train=np.zeros((50, 4), "float32"), y_train=np.arange(50) % 3)
    written = {**make_spec(**SHARED, trainable="mlp", space={"batch_size": 8}).resolved(), "data": "data/faces.npz"}
    (tmp_path / "s.yaml").write_text(dump_yaml(written))
    cluster = read_cluster(ROOT / "cluster.yaml")
    path = tmp_path / "c.yaml"
    path.write_text(dump_yaml(cluster))
    with pytest.raises(UsageError, match=r"data: must be on all 9 nodes: .*copied by file_mounts"):
        judge(tmp_path / "s.yaml", [], None, None, path)
    cluster["file_mounts"]["~/data"] = str(tmp_path / "data")
    path.write_text(dump_yaml(cluster))
    judged = judge(tmp_path / "s.yaml", [], None, None, path)
    assert (judged.spec.data, judged.inspected.num_train) == ("~/data/faces.npz", 45)
