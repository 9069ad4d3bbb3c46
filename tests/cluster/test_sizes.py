"""How many machines a cluster file asks for: pure rules, of files that fit Ray's schema."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.cluster.sizes import max_workers, size_problems

LOCAL: dict[str, Any] = {"type": "local", "worker_ips": ["10.0.0.2", "10.0.0.3"]}


def problems(head: dict[str, Any], gpu: dict[str, Any], **changes: Any) -> list[str]:
    types = {"head": head, "gpu": gpu}
    cluster = {"provider": {"type": "aws"}, "head_node_type": "head", "available_node_types": types}
    return size_problems({**cluster, **changes})


@pytest.mark.parametrize(
    ("head", "gpu", "changes", "found"),
    [
        ({}, {}, {}, []),
        ({}, {"min_workers": 2}, {}, []),  # two of any type, if the file says nothing
        ({"min_workers": 1, "max_workers": 1}, {"min_workers": 1}, {}, []),
        ({"min_workers": 1}, {}, {}, [
            "available_node_types.head.min_workers: must not be above its max_workers, but got min 1, max 0",
        ]),
        ({}, {"min_workers": 3}, {}, [
            "available_node_types.gpu.min_workers: must not be above its max_workers, but got min 3, max 2",
            "max_workers: must be at least the node types' min_workers together, 3, but got 2",
        ]),
        ({"max_workers": -1}, {}, {"max_workers": 5}, [
            "available_node_types.head.max_workers: must be at least 0, but got -1",
            "available_node_types.head.min_workers: must not be above its max_workers, but got min 0, max -1",
        ]),
        ({}, {"resources": {"cpu": 8, "GPU": 1, "fast_disk": 1}}, {}, [
            "available_node_types.gpu.resources.cpu: unknown resource; did you mean 'CPU'?",
        ]),
        ({}, {"resources": None}, {"head_node_type": "haed"}, [
            "head_node_type: must be one of available_node_types, but got 'haed'; did you mean 'head'?",
        ]),
        ({}, {}, {"head_node_type": None}, [
            "head_node_type: is required where there are node types, but is missing; known: gpu, head",
        ]),
        ({}, {}, {"upscaling_speed": float("inf")}, ["upscaling_speed: must be a number, but got inf"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(
    head: dict[str, Any], gpu: dict[str, Any], changes: dict[str, Any], found: list[str]
) -> None:
    assert problems(head, gpu, **changes) == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"min_workers": 2, "max_workers": 2}, []),
        ({"min_workers": 2, "max_workers": 1}, ["min_workers: must not be above max_workers, but got min 2, max 1"]),
        ({"max_workers": 3}, ["max_workers: must not be above the 2 addresses of provider.worker_ips, but got 3"]),
    ],
)
def test_machines_of_ones_own_are_as_many_as_their_addresses(changes: dict[str, Any], found: list[str]) -> None:
    assert size_problems({"provider": LOCAL, **changes}) == found
    assert size_problems({"provider": {**LOCAL, "type": "aws"}, **changes}) == []


def test_a_type_has_as_many_workers_as_it_and_the_cluster_allow_and_the_heads_has_none() -> None:
    types = {"head": {}, "own": {"max_workers": 3}, "gpu": {}}
    cluster = {"head_node_type": "head", "available_node_types": types}
    assert [max_workers(cluster, name) for name in types] == [0, 2, 2]
    assert [max_workers({**cluster, "max_workers": 8}, name) for name in types] == [0, 3, 8]
