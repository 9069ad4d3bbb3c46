"""Fractions and multiples of GPUs on a cluster of pretended ones, which Ray only counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backend.clusters import STORE_BYTES, Run, cluster_of, most_at_a_time
from tuner.engine.slots import Slot
from tuner.review.verification import verify_sweep
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def gpu_nodes() -> Iterator[set[str]]:
    """The ids of two nodes with two GPUs each, beside a head without any."""
    with cluster_of(num_cpus=16) as cluster:
        nodes: list[Any] = [
            cluster.add_node(num_cpus=16, num_gpus=2, object_store_memory=STORE_BYTES) for _ in range(2)
        ]
        yield {node.node_id for node in nodes}


@pytest.mark.parametrize(("gpus", "slots"), [(2.0, 2), (1.0, 4), (0.25, 16)])
def test_as_many_trials_at_a_time_as_the_gpus_have_room_for(
    tmp_path: Path, gpu_nodes: set[str], gpus: float, slots: int
) -> None:
    run = Run(tmp_path, Slot(1, gpus), num_trials=slots)
    run.hold(0, until_begun=slots)
    events = run.fit()
    assert most_at_a_time(events) == run.coordinator.slots == slots
    started = [event for event in events if isinstance(event, ev.TrialStarted)]
    assert {event.node for event in started} == gpu_nodes  # the head, without GPUs, got none
    assert {len(event.gpus) for event in started} == {max(1, int(gpus))}
    cards = {(event.node, card) for event in started for card in event.gpus}
    assert len(cards) == 4
    found = verify_sweep(run.journal.folder, mlflow=False, checkpoints=False)
    assert found.ok, str(found)
