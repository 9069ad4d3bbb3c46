"""What driver and workers say to each other."""

from __future__ import annotations

import math

import pytest

from tuner.engine.messages import Assignment
from tuner.sweep import Mode


@pytest.mark.parametrize("mode", ["min", "max"])
def test_weights_are_wanted_unless_they_are_worse_than_those_that_are_kept(mode: Mode) -> None:
    better, worse = (0.4, 0.6) if mode == "min" else (0.6, 0.4)

    def wanted(best_value: float, keep_above: float | None) -> bool:
        assignment = Assignment(0, 1, {}, seed=0, epochs_max=9, judged_at=frozenset(), keep_above=keep_above)
        return assignment.wants_weights(best_value, mode)

    assert wanted(better, 0.5) and wanted(0.5, 0.5) and not wanted(worse, 0.5)
    assert wanted(worse, None)
    assert not any(wanted(value, bar) for value in (math.nan, math.inf, -math.inf) for bar in (None, 0.5))
