"""How a cluster file starts Ray: whether workers would join, and whether strangers could run code on the head."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from tuner.cluster.shared import file_mounts, max_nodes
from tuner.spec.space import shown

TOKEN = "~/.ray/auth_token"
_EXAMPLES = ("ami-0123456789abcdef0", "my-project", "192.0.2.")
"""An image, a project and addresses in our example files that do not exist."""
_GROUPS = {"SecurityGroupIds", "NetworkInterfaces", "LaunchTemplate"}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def start_problems(cluster: Mapping[str, Any]) -> list[str]:
    """Files that cannot be copied, and a head that does not start Ray or its workers; of a file with Ray's defaults."""
    mounts = (cluster.get("file_mounts") or {}).items()
    wrong = [(there, here) for there, here in mounts if not isinstance(here, str)]
    return [
        *(f"file_mounts.{there}: must be a path of this machine, but got {shown(here)}" for there, here in wrong),
        *_docker_problems(cluster),
        *_command_problems(cluster),
    ]


def _command_problems(cluster: Mapping[str, Any]) -> list[str]:
    starts = _starts(cluster, "head_start_ray_commands", "--head")
    if not starts:
        return ["head_start_ray_commands: must hold `ray start --head …`, but none does"]
    if max_nodes(cluster) > 1 and not any("--autoscaling-config" in command for command in starts):
        rule = (
            "must start the head with --autoscaling-config=~/ray_bootstrap_config.yaml, without which no worker comes"
        )
        return [f"head_start_ray_commands: {rule}"]
    return _worker_problems(cluster, starts) if max_nodes(cluster) > 1 else []


def _starts(cluster: Mapping[str, Any], key: str, option: str) -> list[str]:
    """The commands that start Ray with an option."""
    commands = cluster.get(key) or ()
    starts = ((command, re.search(r"\bray start\b", command)) for command in commands)
    return [c for c, start in starts if start and re.search(rf"\s{option}(?![\w-])", c[start.end() :])]


def _worker_problems(cluster: Mapping[str, Any], head_starts: list[str]) -> list[str]:
    starts = _starts(cluster, "worker_start_ray_commands", "--address")
    if not starts:
        return ["worker_start_ray_commands: must hold `ray start --address=$RAY_HEAD_IP:6379`, but none does"]
    heads = re.findall(r"--port[= ](\S+)", " ".join(head_starts)) or ["6379"]
    workers = re.findall(r"--address[= ]['\"]?[^\s'\":]+:(\d+)", " ".join(starts))
    if heads[0].isdigit() and workers and heads[0] not in workers:
        return [f"worker_start_ray_commands: must name the head's port, {heads[0]}, but got {workers[0]}"]
    return []


def _docker_problems(cluster: Mapping[str, Any]) -> list[str]:
    """A container needs a name and an image, or one image for the head and one for the workers."""
    docker = cluster.get("docker") or {}
    has_image = bool(docker.get("image") or (docker.get("head_image") and docker.get("worker_image")))
    if has_image == bool(docker.get("container_name")):
        return []
    missing = "container_name" if has_image else "image"
    return [
        f"docker.{missing}: is required where docker has {'an image' if has_image else 'a container'}, but is missing"
    ]


def start_warnings(cluster: Mapping[str, Any]) -> list[str]:
    """What gives others access, and files that this machine lacks."""
    warnings = []
    text = " ".join(cluster.get("head_start_ray_commands") or ())
    hosts = re.findall(r"--dashboard-host[= ](\S+)", text)
    if any(host not in _LOOPBACK for host in hosts):
        rule = "runs code for anybody: keep --dashboard-host=127.0.0.1, to which tuner makes a tunnel"
        warnings.append(f"head_start_ray_commands: the dashboard's job server at {hosts[-1]} {rule}")
    if not re.search(r"RAY_AUTH_MODE=['\"]?token", text):
        warnings.append(
            "head_start_ray_commands: without RAY_AUTH_MODE=token, anybody who reaches the head can run code on it"
        )
    return [*warnings, *_open_groups(cluster), *missing_here(cluster), *_unedited(cluster)]


def _open_groups(cluster: Mapping[str, Any]) -> list[str]:
    """On AWS, machines that everybody can reach, because Ray has to make their security group."""
    provider = cluster["provider"]
    group = provider.get("security_group") or {}
    types = (cluster.get("available_node_types") or {}).values()
    has_groups = all(_GROUPS & set(node.get("node_config") or {}) for node in types)
    if provider.get("type") != "aws" or has_groups:
        return []
    if "GroupName" not in group:
        rule = "Ray makes a group that is open for ssh from everywhere: name your own group here (see cluster.yaml)"
        return [f"provider.security_group: {rule}"]
    if "0.0.0.0/0" in str(group.get("IpPermissions")):
        return ["provider.security_group.IpPermissions: 0.0.0.0/0 lets everybody in: name your own addresses"]
    return []


def missing_here(cluster: Mapping[str, Any]) -> list[str]:
    """Files to be copied from this machine that do not exist (yet): Ray looks only once it has a head."""
    key = (cluster.get("auth") or {}).get("ssh_private_key")
    here = {f"file_mounts.{there}": source for there, source in file_mounts(cluster).items()}
    here |= {"auth.ssh_private_key": key} if key else {}
    warnings = []
    for place, source in here.items():
        if isinstance(source, str) and not os.path.exists(path := os.path.expanduser(source)):
            where = "on this machine" if os.path.isabs(path) else f"in {os.getcwd()}, where relative paths begin"
            way_on = "; make it: ray get-auth-token --generate" if source == TOKEN else ""
            warnings.append(f"{place}: there is no {source} {where}{way_on}")
    return warnings


def _unedited(cluster: Mapping[str, Any]) -> list[str]:
    """Values of our example files that the user has not replaced."""
    provider = cluster["provider"]
    values = {"provider.project_id": provider.get("project_id"), "provider.head_ip": provider.get("head_ip")}
    for name, node in (cluster.get("available_node_types") or {}).items():
        values[f"available_node_types.{name}.node_config.ImageId"] = (node.get("node_config") or {}).get("ImageId")
    return [
        f"{place}: {value} is an example: put in your own"
        for place, value in values.items()
        if isinstance(value, str) and value.startswith(_EXAMPLES)
    ]
