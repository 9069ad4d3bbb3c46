"""The best value so far over time."""

from __future__ import annotations

from typing import Any

from tuner.analysis.racing import best_over_time
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

SPEC: dict[str, Any] = {"name": "a", "objective": {"metric": "score", "mode": "max"}, "num_trials": 1, "space": {}}


def epoch(seq: int, at: float, value: float, number: int) -> ev.EpochReported:
    return ev.EpochReported(
        at=at, seq=seq, trial=0, attempt=1, epoch=number, metrics={"score": value}, epoch_s=0.5, decision="continue",
        reason="",
    )  # fmt: skip


def test_seconds_are_those_at_work_from_one_driver_to_the_next() -> None:
    sweep = fold(
        [
            ev.SweepStarted(at=100.0, spec=SPEC, versions={}, seed=0),
            ev.TrialSuggested(at=101.0, trial=0, params={}, origin="random"),
            epoch(2, 105.0, 0.5, 1),
            epoch(3, 107.0, 0.4, 2),
            ev.SweepResumed(at=9000.0, seq=4, changes={}),
            epoch(5, 9003.0, 0.7, 3),
            epoch(6, 9004.0, 0.6, 4),
        ]
    )
    assert best_over_time(sweep) == [(5.0, 0.5), (10.0, 0.7), (11.0, 0.7)]
    assert best_over_time(Sweep()) == []
