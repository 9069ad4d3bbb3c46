"""A worker is replaced when it has grown past the limit, never for what it needs from the start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tuner.worker.memory import Memory


def looked(limit: float | None, *used: int, shared: int = 0) -> Memory:
    """A process that held so much after each of its epochs."""
    memory = Memory(limit)
    for each in used:
        memory._process = SimpleNamespace(
            memory_info=lambda each=each: SimpleNamespace(rss=each + shared, shared=shared)
        )
        memory.look()
    return memory


@pytest.mark.parametrize(
    ("memory", "is_outgrown"),
    [
        (looked(None, 100, 10**12), False),
        (looked(1000.0, 100, 999), False),
        (looked(1000.0, 100, 1001), True),
        (looked(1000.0, 2000, 2400), False),
        (looked(1000.0, 2000, 2501), True),
        (looked(1000.0, 100, 900, shared=10**9), False),
    ],
)
def test_growth_past_the_limit_counts(memory: Memory, is_outgrown: bool) -> None:
    assert memory.is_outgrown is is_outgrown
