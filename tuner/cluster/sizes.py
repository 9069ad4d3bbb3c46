"""Mistakes in the number and size of a cluster file's machines, and in how fast they come and go."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.spec.space import nearest, shown


def size_problems(cluster: Mapping[str, Any]) -> list[str]:
    """A head type that does not exist, minima above maxima and the like, in a file that matches Ray's schema."""
    return [
        *_head_problems(cluster),
        *_type_problems(cluster),
        *_resource_problems(cluster),
        *_host_problems(cluster),
        *_pace_problems(cluster),
    ]


def max_workers(cluster: Mapping[str, Any], name: str) -> int:
    """The highest number of workers of a node type."""
    limit: int = cluster.get("max_workers", 2)  # Ray's own default
    node = cluster["available_node_types"][name]
    own: int = node.get("max_workers", 0 if name == cluster.get("head_node_type") else limit)
    return min(limit, own)


def _head_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    types, head = cluster.get("available_node_types"), cluster.get("head_node_type")
    if types and head is None:
        yield f"head_node_type: is required where there are node types, but is missing{nearest('', types)}"
    elif types and head not in types:
        yield f"head_node_type: must be one of available_node_types, but got {shown(head)}{nearest(str(head), types)}"


def _type_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    limit = cluster.get("max_workers", 2)
    total = 0
    for name, node in (cluster.get("available_node_types") or {}).items():
        least = node.get("min_workers", 0)
        most = node.get("max_workers", 0 if name == cluster.get("head_node_type") else limit)
        path = f"available_node_types.{name}"
        for key in ("min_workers", "max_workers"):
            if node.get(key, 0) < 0:
                yield f"{path}.{key}: must be at least 0, but got {node[key]}"
        if least > most:
            yield f"{path}.min_workers: must not be above its max_workers, but got min {least}, max {most}"
        total += max(0, least)
    if total > limit:
        yield f"max_workers: must be at least the node types' min_workers together, {total}, but got {limit}"


def _resource_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    """Ray accepts any name for a resource: `cpu` would be a custom one, which no trial asks for."""
    for name, node in (cluster.get("available_node_types") or {}).items():
        for key in node.get("resources") or {}:
            if key.upper() in ("CPU", "GPU") and key not in ("CPU", "GPU"):
                yield f"available_node_types.{name}.resources.{key}: unknown resource; did you mean {key.upper()!r}?"


def _pace_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    for key in ("idle_timeout_minutes", "upscaling_speed"):
        if not math.isfinite(cluster.get(key, 0)):
            yield f"{key}: must be a number, but got {shown(cluster[key])}"


def _host_problems(cluster: Mapping[str, Any]) -> Iterator[str]:
    provider = cluster["provider"]
    hosts = provider.get("worker_ips")
    if provider.get("type") != "local" or not isinstance(hosts, list):
        return
    least, most = cluster.get("min_workers", 0), cluster.get("max_workers", len(hosts))
    if least > most:
        yield f"min_workers: must not be above max_workers, but got min {least}, max {most}"
    for key, value in (("min_workers", least), ("max_workers", most)):
        if value > len(hosts):
            yield f"{key}: must not be above the {len(hosts)} addresses of provider.worker_ips, but got {value}"
