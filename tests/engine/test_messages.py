"""What driver and workers say to each other."""

from __future__ import annotations

import math
import pickle

import pytest

from tuner.engine.messages import Assignment, Report, SavedCheckpoint, TrainedEpoch
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


def test_what_is_said_of_a_trial_is_far_too_small_for_the_object_store() -> None:
    """Ray sends up to 100 KiB in the call itself; more goes through shared memory, a copy and a request each way."""
    params = {f"parameter_{number}": number / 7 for number in range(20)}
    paths = tuple(f"checkpoints/000007/full-{epoch:06d}-attempt-001.npz" for epoch in range(3))
    assignment = Assignment(
        7, 1, params, seed=1, epochs_max=81, judged_at=frozenset({1, 3, 9, 27, 81}), checkpoints=paths
    )
    metrics = {f"{part}metric_{number}": number / 7 for part in ("", "val_") for number in range(10)}
    epochs = tuple(TrainedEpoch(epoch, metrics, 0.01) for epoch in range(1, 28))
    saved = tuple(SavedCheckpoint(7, 27, path, 27, "best", metrics) for path in paths)
    report = Report(7, 1, "127.0.0.1", 1, (), 0, epochs, saved)
    assert len(pickle.dumps(assignment)) < 4 << 10
    assert len(pickle.dumps(report)) < 20 << 10
