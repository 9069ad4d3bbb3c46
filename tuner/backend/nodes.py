"""The nodes of the Ray cluster that this process has joined or started."""

from __future__ import annotations

import functools


def cluster_nodes() -> list[dict[str, float]]:
    """The resources of every node that is alive."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def this_node() -> dict[str, float]:
    """The resources of the node that this worker is on."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    return next((node["Resources"] for node in ray.nodes() if node["NodeID"] == here), {})


def node_address() -> str:
    """The address of this process's node; of a local Ray, which listens on loopback only, the machine's."""
    import ray
    from ray._common.network_utils import is_localhost

    address = str(ray.util.get_node_ip_address())
    return _machine_address() if is_localhost(address) else address


@functools.cache
def _machine_address() -> str:
    from ray._common.network_utils import node_ip_address_from_perspective

    return str(node_ip_address_from_perspective())


def head_address() -> str:
    """HOST:PORT of the cluster's head."""
    import ray

    return str(ray.get_runtime_context().gcs_address)


def num_hosts() -> int:
    """How many machines the cluster has; several nodes of one machine share its files."""
    import ray

    return len({node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]})
