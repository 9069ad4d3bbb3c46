"""`ray up`, the autoscaler's launch of workers and `ray down` with cluster.yaml itself, against a simulated EC2.

The moto project's server answers for EC2 and IAM. It ends at the machines: there are none behind the instances, so that
ssh and rsync are stand-ins that note what they are asked to do, and do nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.objectstore import S3Server
from tuner.cluster.schema import read_cluster

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cluster.yaml"
REGION, MY_ADDRESS, TOKEN = "us-west-2", "198.51.100.7/32", "canary" * 8
STAND_IN = """#!{python}
import json, pathlib, shutil, sys
home = pathlib.Path({home!r})
with open(home / "calls.jsonl", "a") as file:
    file.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
if {name!r} == "rsync" and any("ray_bootstrap_config" in argument for argument in sys.argv):
    shutil.copy(sys.argv[-2], home / "bootstrap.json")
"""


@dataclass
class SimulatedCloud:
    """EC2 and IAM of one account, and a home folder of whoever launches."""

    home: Path
    environ: dict[str, str]
    group: str

    def client(self, service: str) -> Any:
        import boto3

        names = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        return boto3.client(service, endpoint_url=self.environ["AWS_ENDPOINT_URL"], **names)

    def ray(self, command: str) -> str:
        arguments = [sys.executable, "-m", "ray.scripts.scripts", command, "--yes", str(FILE)]
        done = subprocess.run(arguments, env=self.environ, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    def instances(self, kind: str) -> list[dict[str, Any]]:
        found = self.client("ec2").describe_instances(Filters=[{"Name": "tag:ray-node-type", "Values": [kind]}])
        return [instance for reservation in found["Reservations"] for instance in reservation["Instances"]]

    def volume(self, instance: dict[str, Any]) -> dict[str, Any]:
        [mapping] = instance["BlockDeviceMappings"]
        [volume] = self.client("ec2").describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
        return dict(volume)

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.home / "calls.jsonl").read_text().splitlines()]

    def bootstrap(self) -> dict[str, Any]:
        """What the head's autoscaler is given."""
        config: dict[str, Any] = json.loads((self.home / "bootstrap.json").read_text())
        return config


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedCloud]:
    """An account as cluster.yaml's comments ask for, after `ray up`."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(TOKEN)
    (home / "bin").mkdir()
    for name in ("ssh", "rsync"):
        script = home / "bin" / name
        script.write_text(STAND_IN.format(python=sys.executable, home=str(home), name=name))
        script.chmod(0o755)
    server = S3Server()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_"))}
    environ = {
        **plain, **server.environ, "HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(home), "TMPDIR": str(home), "AWS_DEFAULT_REGION": REGION,
    }  # fmt: skip
    cloud = SimulatedCloud(home, environ, "")
    cloud.group = _make_group(cloud)
    _make_profile(cloud)
    cloud.ray("up")
    yield cloud
    server.stop()


def _make_group(cloud: SimulatedCloud) -> str:
    ec2 = cloud.client("ec2")
    group = str(ec2.create_security_group(GroupName="tuner", Description="tuner: Ray cluster")["GroupId"])
    within = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": MY_ADDRESS}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[within, ssh])
    return group


def _make_profile(cloud: SimulatedCloud) -> None:
    """The head's default profile, as if from an earlier cluster: after making it Ray waits for half a minute."""
    iam, name = cloud.client("iam"), "ray-autoscaler-v1"
    iam.create_instance_profile(InstanceProfileName=name)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)


def launch_workers(cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """As the autoscaler on the head does it, from the file that `ray up` brought there."""
    for name in ("HOME", *(name for name in cloud.environ if name.startswith("AWS_"))):
        monkeypatch.setenv(name, cloud.environ[name])
    from ray.autoscaler._private.event_summarizer import EventSummarizer
    from ray.autoscaler._private.node_launcher import BaseNodeLauncher
    from ray.autoscaler._private.node_provider_availability_tracker import NodeProviderAvailabilityTracker
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler._private.util import ConcurrentCounter

    config, pending = cloud.bootstrap(), ConcurrentCounter()
    config["auth"]["ssh_private_key"] = f"~/.ssh/ray-autoscaler_{REGION}.pem"  # where it lies on this machine
    provider = _get_node_provider(config["provider"], config["cluster_name"], use_cache=False)
    tracker = NodeProviderAvailabilityTracker()
    launcher = BaseNodeLauncher(
        provider, pending, EventSummarizer(), tracker, node_types=config["available_node_types"]
    )
    for _ in range(count):  # one by one: to a request for several on the spot market the simulation gives one
        pending.inc("gpu", 1)
        launcher.launch_node(config, 1, "gpu")


def tags(of: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in of["Tags"]}


def test_ray_up_starts_one_head_on_demand_as_the_file_says(cloud: SimulatedCloud) -> None:
    [head] = cloud.instances("head")
    assert (head["InstanceType"], head["ImageId"]) == ("m7i.xlarge", "ami-0123456789abcdef0")
    assert "InstanceLifecycle" not in head and head["Placement"]["AvailabilityZone"].startswith(REGION)
    assert head["MetadataOptions"]["HttpTokens"] == "required"
    assert head["IamInstanceProfile"]["Arn"].endswith("/ray-autoscaler-v1")
    assert {"ray-cluster-name": "tuner", "ray-user-node-type": "head", "project": "tuner"}.items() <= tags(head).items()
    volume = cloud.volume(head)
    assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (100, "gp3", True)
    assert tags(volume) == {"project": "tuner"} and head["BlockDeviceMappings"][0]["Ebs"]["DeleteOnTermination"]
    assert cloud.instances("worker") == []


def test_the_head_is_behind_the_group_and_the_key_alone(cloud: SimulatedCloud) -> None:
    [head] = cloud.instances("head")
    assert [group["GroupId"] for group in head["SecurityGroups"]] == [cloud.group]
    [group] = cloud.client("ec2").describe_security_groups(GroupIds=[cloud.group])["SecurityGroups"]
    assert [[r["CidrIp"] for r in rule["IpRanges"]] for rule in group["IpPermissions"]] == [[], [MY_ADDRESS]]
    assert head["KeyName"] == f"ray-autoscaler_{REGION}"
    key = cloud.home / ".ssh" / f"{head['KeyName']}.pem"
    assert key.stat().st_mode & 0o077 == 0 and "PRIVATE KEY" in key.read_text()


def test_the_head_is_asked_for_what_the_file_says_and_nothing_else(cloud: SimulatedCloud) -> None:
    written = read_cluster(FILE)
    said = [" ".join(call) for call in cloud.calls() if call[0] == "ssh"]
    for command in [*written["setup_commands"], *written["head_setup_commands"], *written["head_start_ray_commands"]]:
        words = command.split("'")[0][:60]
        assert any(words in line for line in said), command
    assert not any("ray-wheels" in line or "0.0.0.0" in line or "worker" in line for line in said)
    copied = " ".join(" ".join(call) for call in cloud.calls() if call[0] == "rsync")
    assert all(path.removeprefix("~/") in copied for path in written["file_mounts"])


def test_the_token_goes_as_a_file_and_in_no_command_or_configuration(cloud: SimulatedCloud) -> None:
    assert TOKEN not in json.dumps(cloud.calls()) and TOKEN not in json.dumps(cloud.bootstrap())


def test_workers_come_from_the_spot_market_into_the_same_group(
    cloud: SimulatedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch_workers(cloud, monkeypatch, 2)
    workers = cloud.instances("worker")
    assert [worker["InstanceType"] for worker in workers] == ["g5.2xlarge"] * 2
    for worker in workers:
        assert worker["InstanceLifecycle"] == "spot"
        assert [group["GroupId"] for group in worker["SecurityGroups"]] == [cloud.group]
        assert "IamInstanceProfile" not in worker and worker["KeyName"] == f"ray-autoscaler_{REGION}"
        assert {"ray-cluster-name": "tuner", "ray-user-node-type": "gpu", "project": "tuner"}.items() <= tags(
            worker
        ).items()
        volume = cloud.volume(worker)
        assert (volume["Size"], volume["VolumeType"], volume["Encrypted"]) == (150, "gp3", True)


def test_ray_knows_what_the_node_types_have(cloud: SimulatedCloud) -> None:
    types = cloud.bootstrap()["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert {"CPU": 8, "GPU": 1}.items() <= types["gpu"]["resources"].items()


def test_ray_down_terminates_every_machine(cloud: SimulatedCloud) -> None:
    cloud.ray("down")
    states = [machine["State"]["Name"] for machine in cloud.instances("head") + cloud.instances("worker")]
    assert states and set(states) == {"terminated"}
