"""What a sweep costs."""

from __future__ import annotations

import pytest

from tests.probe.measured import probe
from tests.simulation import make_spec
from tuner.probe.cost import epoch_seconds, sweep_cost
from tuner.probe.result import EpochEstimate, Ladder


def test_epochs_as_early_stopping_leaves_them_on_one_and_on_many_slots() -> None:
    spec = make_spec(num_trials=27, epochs={"min": 1, "max": 27})
    cost = sweep_cost(spec, probe(), [32])
    assert cost is not None and cost.epoch_s == 0.16 and cost.epochs == 27 + 9 * 2 + 3 * 6 + 1 * 18
    assert cost.wall_s(1) == pytest.approx(81 * 0.16) and cost.wall_s(64) == pytest.approx(27 * 0.16)
    assert cost.as_data()["wall_s"] == {"1": 12.96, "8": 4.32, "64": 4.32}
    assert cost.lines() == [
        "27 trials train about 81 epochs of 0.16 s: 13 s on 1, 4 s on 8, 4 s on 64 slots like the one measured, without"
        " the start of workers"
    ]
    whole = sweep_cost(make_spec(early_stopping={"algorithm": "none"}, folds=5), probe(), [32])
    assert whole is not None and whole.epochs == 30 * 27 and whole.epoch_s == pytest.approx(0.8)


def test_validation_counts_at_every_batch_size() -> None:
    """0.06 s of training at batch 32, and 0.16 s with validation."""
    assert epoch_seconds(probe(), 64) == pytest.approx(0.03 + 0.1)
    assert epoch_seconds(probe(), 50) == pytest.approx(0.03 + 0.1)
    assert epoch_seconds(probe(ladder=Ladder()), 64) == 0.16
    assert epoch_seconds(probe(ladder=Ladder(), epochs=EpochEstimate()), 64) is None
    assert sweep_cost(make_spec(), probe(ladder=Ladder(), epochs=EpochEstimate()), [32]) is None
