"""Whatever stands anywhere in a cluster file: a line for people, and never an exception of our own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.simulation import make_spec
from tuner.cluster import check as checking
from tuner.cluster.schema import read_cluster

ROOT = Path(__file__).parents[2]
FILES = [read_cluster(ROOT / name) for name in ("cluster.yaml", "deploy/gcp.yaml", "deploy/on-premise.yaml")]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 10), st.floats(allow_nan=False), st.text(max_size=8),
    st.sampled_from(["ray==1", "pip install ray", "rayproject/ray", "local", "aws", "gcp", "external"]),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.none(), st.lists(st.none(), max_size=2))),
)  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key and index of a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def with_node_type_named(name: str, **changes: Any) -> dict[str, Any]:
    cluster = copy.deepcopy(FILES[0])
    types = cluster["available_node_types"]
    types[name] = types.pop("gpu") | changes
    return cluster


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    cluster = copy.deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(cluster))))
        tree = cluster
        for part in path[:-1]:
            tree = tree[part]
        if draw(st.booleans()) or not isinstance(tree, dict):
            tree[path[-1]] = draw(JUNK)
        else:
            tree[draw(st.text(max_size=4))] = tree.pop(path[-1])
    return cluster


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(), st.sampled_from([0, 0.3, 1]))
@example(with_node_type_named("\n"), 0)
@example(with_node_type_named("\n", resources={"CPU": 1, "GPU": 0}), 1)
def test_any_damage_is_told_in_lines(monkeypatch: pytest.MonkeyPatch, cluster: dict[str, Any], gpus: float) -> None:
    monkeypatch.setattr(checking, "read_cluster", lambda path: cluster)
    before = copy.deepcopy(cluster)
    spec = make_spec(data="/data/x.npz", resources={"gpus_per_trial": gpus})
    found = checking.check_cluster(Path("c.yaml"), spec)
    assert cluster == before
    assert all(line.startswith(("c.yaml: ", "spec: ")) and "\n" not in line for line in found.problems)
    assert all(line.isprintable() for line in (*found.problems, *found.warnings))
