"""Mistakes in `provider` that Ray's schema accepts: misspelt or missing keys, and places that do not exist."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from tuner.spec.space import nearest, shown

PROVIDERS = ("aws", "gcp", "local", "azure", "vsphere", "spark", "external")
"""Providers that can be launched. Ray's wheel lacks the defaults of aliyun, without which its launcher fails."""
_EVERY = {
    "type", "use_internal_ips", "disable_node_updaters", "disable_launch_config_check", "foreground_node_launch",
    "worker_liveness_check",
}  # fmt: skip
PROVIDER_KEYS = {
    "aws": _EVERY
    | {
        "region", "availability_zone", "cache_stopped_nodes", "security_group", "key_pair", "aws_credentials",
        "cloudwatch",
    },
    "gcp": _EVERY | {"region", "availability_zone", "project_id", "cache_stopped_nodes", "gcp_credentials"},
    "local": _EVERY | {"head_ip", "worker_ips", "external_head_ip", "coordinator_address"},
}  # fmt: skip
_NESTED = {
    "key_pair": {"key_name"},
    "aws_credentials": {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"},
}
_REQUIRED = {"aws": ("region",), "gcp": ("region", "availability_zone", "project_id")}


def provider_problems(cluster: Mapping[str, Any]) -> list[str]:
    """Unknown or missing keys of `provider`, and places that do not exist."""
    provider = cluster["provider"]
    kind = provider.get("type")
    if kind not in PROVIDERS:
        return [f"provider.type: must be one of Ray's providers, but got {shown(kind)}{nearest(str(kind), PROVIDERS)}"]
    known = PROVIDER_KEYS.get(kind)
    if known is None:
        return []
    problems = [f"provider.{key}: unknown key{nearest(str(key), known)}" for key in provider if key not in known]
    for section, keys in _NESTED.items():
        nested = provider.get(section)
        if isinstance(nested, Mapping):
            problems += [
                f"provider.{section}.{key}: unknown key{nearest(key, keys)}" for key in nested if key not in keys
            ]
    missing = [key for key in _REQUIRED.get(kind, ()) if not provider.get(key)]
    problems += [f"provider.{key}: is required, but is missing" for key in missing]
    places = {"aws": _aws_places, "gcp": _gcp_places, "local": _hosts}.get(kind)
    return problems + (list(places(provider)) if places else [])


def _aws_places(provider: Mapping[str, Any]) -> Iterator[str]:
    region, zones = provider.get("region"), provider.get("availability_zone")
    if not isinstance(region, str) or not region:
        return
    regions = _aws_regions()
    if region not in regions:
        yield f"provider.region: must be a region of AWS, but got {shown(region)}{nearest(region, regions)}"
        return
    for zone in zones.split(",") if isinstance(zones, str) else ():
        if not zone.strip().startswith(region):
            rule = f"must be zones of the region {region}"
            yield f"provider.availability_zone: {rule}, but got {shown(zone.strip())}"


def _gcp_places(provider: Mapping[str, Any]) -> Iterator[str]:
    region, zone = provider.get("region"), provider.get("availability_zone")
    if isinstance(region, str) and isinstance(zone, str) and region and zone and not zone.startswith(f"{region}-"):
        yield f"provider.availability_zone: must be a zone of the region {region}, but got {shown(zone)}"


def _hosts(provider: Mapping[str, Any]) -> Iterator[str]:
    if "coordinator_address" in provider:
        return
    workers, head = provider.get("worker_ips"), provider.get("head_ip")
    for key in ("head_ip", "worker_ips"):
        if key not in provider:
            yield f"provider.{key}: is required where there is no coordinator_address, but is missing"
    if "head_ip" in provider and not _is_address(head):
        yield f"provider.head_ip: must be the head's address, but got {shown(head)}"
    if not isinstance(workers, list):
        if "worker_ips" in provider:
            yield f"provider.worker_ips: must be a list of addresses, but got {shown(workers)}"
        return
    for index, host in enumerate(workers):
        if not _is_address(host):
            yield f"provider.worker_ips[{index}]: must be a worker's address, but got {shown(host)}"
            continue
        if host in workers[:index]:
            yield f"provider.worker_ips[{index}]: must not stand in the list twice, but got {shown(host)}"
        if host == head:
            yield f"provider.worker_ips[{index}]: must not be the head's address, but got {shown(host)}"


def _is_address(host: object) -> bool:
    """Whether it is a host name or an IP address alone: the user belongs in `auth`, and the ssh port is fixed."""
    if not isinstance(host, str):
        return False
    if ":" in host or re.fullmatch(r"[\d.]+", host):
        with contextlib.suppress(ValueError):
            return bool(ipaddress.ip_address(host))
        return False
    return re.fullmatch(r"\w([\w.-]*\w)?", host) is not None


@cache
def _aws_regions() -> set[str]:
    from botocore.session import Session

    session = Session()
    partitions = session.get_available_partitions()
    return {region for name in partitions for region in session.get_available_regions("ec2", name)}
