"""Compares the files that the nodes of a cluster file share with those that a sweep reads and writes.

The rules are in `tuner.spec.sharing`; the driver applies them to the nodes that it finds.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.backend.growth import NODE_TYPES
from tuner.cluster.schema import COMMAND_LISTS
from tuner.cluster.sizes import max_workers
from tuner.spec import SweepSpec
from tuner.spec.sharing import SHARED_FOLDERS, named_folders, shared_folders, sharing_problems

_ENOUGH = 10**6
"""CPUs and GPUs: more than any trial needs."""


def problems(spec: SweepSpec, cluster: Mapping[str, Any]) -> list[str]:
    """Paths and stores of a spec that only one node of the cluster would see; one line each, with what to do."""
    folders = [*_folders(cluster), *mounted_folders(cluster)]
    return sharing_problems(spec, max_nodes(cluster), folders, file_mounts(cluster))


def max_nodes(cluster: Mapping[str, Any]) -> int:
    """The highest number of nodes, the head included."""
    provider = cluster.get("provider") or {}
    limit: int = cluster.get("max_workers", 2)  # Ray's own default
    if provider.get("type") == "local" and "worker_ips" in provider:
        return 1 + len(provider["worker_ips"] or ())
    if "coordinator_address" in provider:  # a coordinator hands out machines without node types
        return 1 + limit
    return 1 + min(limit, sum(max_workers(cluster, name) for name in cluster.get("available_node_types") or ()))


def file_mounts(cluster: Mapping[str, Any]) -> dict[str, str]:
    """Path on each node -> path here."""
    return {there: here for there, here in (cluster.get("file_mounts") or {}).items() if isinstance(here, str)}


def mounted_folders(cluster: Mapping[str, Any]) -> list[str]:
    """The folders that a cluster file's commands mount from the network (`mount -t nfs4 HOST:/ /mnt/share`)."""
    return [folder for command in _commands(cluster) for folder in _mounted_by(command)]


def all_folders(cluster: Mapping[str, Any]) -> list[str]:
    """The folders that each node has: shared ones, and copies of this machine's by their paths on both."""
    mounts = file_mounts(cluster)
    return [*_folders(cluster), *mounted_folders(cluster), *mounts, *map(os.path.expanduser, mounts.values())]


def driver_environment(cluster: Mapping[str, Any]) -> dict[str, str]:
    """Variables for the driver on the head: the folders that its nodes share, and the nodes that may join."""
    folders = [*_folders(cluster), *mounted_folders(cluster), *file_mounts(cluster)]
    told = {SHARED_FOLDERS: os.pathsep.join(dict.fromkeys(folders))} if folders else {}
    return told | node_types(cluster)


def node_types(cluster: Mapping[str, Any]) -> dict[str, str]:
    """The variable with the nodes that a cluster file allows; none if a node type of a cloud does not state its CPUs.

    Machines of provider `local` never state them, and count as large enough until they have joined.
    """
    types, head = cluster.get("available_node_types") or {}, cluster.get("head_node_type")
    if cluster.get("provider", {}).get("type") == "local" and max_nodes(cluster) > 1:
        return {NODE_TYPES: json.dumps([{"CPU": _ENOUGH, "GPU": _ENOUGH, "nodes": max_nodes(cluster) - 1}])}
    if not types or not all("CPU" in (kind.get("resources") or {}) for kind in types.values()):
        return {}
    sizes = [
        {**kind["resources"], "nodes": 1 if name == head else max_workers(cluster, name)}
        for name, kind in types.items()
    ]
    return {NODE_TYPES: json.dumps(sizes)}


def _folders(cluster: Mapping[str, Any]) -> list[str]:
    """Folders that the nodes share: network file systems of this machine count only with provider `local`, whose nodes
    are neighbours of this machine."""
    is_near = (cluster.get("provider") or {}).get("type") == "local"
    return shared_folders() if is_near else named_folders()


def _commands(cluster: Mapping[str, Any]) -> Iterator[str]:
    kinds = (cluster.get("available_node_types") or {}).values()
    for section in (cluster, *kinds, *(kind.get("docker") or {} for kind in kinds)):
        for name in COMMAND_LISTS:
            yield from (command for command in section.get(name) or () if isinstance(command, str))


def _mounted_by(command: str) -> Iterator[str]:
    """The target of each `mount` of a network source (HOST:PATH) in a shell command."""
    for part in re.split(r"[;&|()\n]+", command):
        words = part.split()
        is_mount = any(word == "mount" or word.startswith("mount.") for word in words)
        sources = [index for index, word in enumerate(words) if ":/" in word and "=" not in word]
        if is_mount and sources:
            yield from [word for word in words[sources[0] + 1 :] if os.path.isabs(word)][:1]
