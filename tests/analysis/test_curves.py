"""What figures show, as numbers."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tuner.analysis.curves import best_after, best_over_time, best_so_far, learning_curve, searched, shown_range, turns
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def sweep_of(*events: ev.AnyEvent, mode: str = "max", **spec: Any) -> Sweep:
    """A sweep from its start at 100 s, and events with times of their own."""
    written = {"name": "s", "objective": {"metric": "score", "mode": mode}, "num_trials": 9, "space": {}, **spec}
    return fold([ev.SweepStarted(at=100.0, seq=0, spec=written, versions={}, seed=0), *events])


def suggested(*trials: int) -> list[ev.AnyEvent]:
    return [ev.TrialSuggested(at=100.0, trial=trial, params={"x": trial}, origin="random") for trial in trials]


def epoch(trial: int, number: int, value: float | None, seq: int = 0, at: float = 0.0, epoch_s: float = 1.0) -> Any:
    return ev.EpochReported(
        at=at, seq=seq, trial=trial, attempt=1, epoch=number, metrics={"score": value}, epoch_s=epoch_s,
        decision="continue", reason="",
    )  # fmt: skip


def test_the_best_so_far_counts_every_trials_epochs_in_the_order_of_the_journal() -> None:
    told = [epoch(0, 1, 0.2, 1), epoch(1, 1, 0.1, 2), epoch(1, 2, 0.4, 3), epoch(0, 2, None, 4), epoch(0, 3, 0.3, 5)]
    assert best_so_far(sweep_of(*suggested(0, 1), *told)) == [(1, 0.2), (3, 0.4), (5, 0.4)]
    assert best_so_far(sweep_of(*suggested(0, 1), *told, mode="min")) == [(1, 0.2), (2, 0.1), (5, 0.1)]
    assert best_so_far(sweep_of()) == [] == best_so_far(sweep_of(*suggested(0), epoch(0, 1, None, 1)))


def test_seconds_are_those_at_work_from_one_driver_to_the_next() -> None:
    told = [
        *suggested(0), epoch(0, 1, 0.5, 2, 105.0), epoch(0, 2, 0.4, 3, 107.0),
        ev.SweepResumed(at=9000.0, seq=4, changes={}), epoch(0, 3, 0.7, 5, 9003.0), epoch(0, 4, 0.6, 6, 9004.0),
    ]  # fmt: skip
    assert best_over_time(sweep_of(*told)) == [(5.0, 0.5), (10.0, 0.7), (11.0, 0.7)]
    assert best_over_time(Sweep()) == []


def test_what_a_failed_trial_came_to_is_no_best() -> None:
    failed = ev.TrialEnded(trial=0, outcome="failed", reason="")
    assert best_so_far(sweep_of(*suggested(0, 1), epoch(0, 1, 0.9, 1), epoch(1, 1, 0.5, 2), failed)) == [(2, 0.5)]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-5, 5)), min_size=1), st.sampled_from(["min", "max"]))
def test_the_curves_end_is_the_sweeps_best(rows: list[tuple[int, float]], mode: str) -> None:
    trained = [0] * 4
    told = []
    for seq, (trial, value) in enumerate(rows, 1):
        trained[trial] += 1
        told.append(epoch(trial, trained[trial], value, seq))
    sweep = sweep_of(*suggested(0, 1, 2, 3), *told, mode=mode)
    steps = best_so_far(sweep)
    assert sweep.best is not None and steps[-1] == (len(rows), sweep.best.best_value)
    values = [value for _, value in steps]
    assert values == sorted(values, reverse=mode == "min")
    assert best_after(steps, len(rows)) == sweep.best.best_value and best_after(steps, 0) is None


def test_a_learning_curve_leaves_out_what_is_not_finite() -> None:
    sweep = sweep_of(*suggested(0), epoch(0, 1, 0.5), epoch(0, 2, None), epoch(0, 3, 0.25))
    assert learning_curve(sweep, sweep.trials[0]) == [(1, 0.5), (3, 0.25)]


def test_parameters_with_one_value_are_not_searched() -> None:
    space = {"a": 3, "b": {"choices": [1]}, "c": {"choices": [1, 2]}, "d": {"low": 0, "high": 1}, "e": {"value": 2}}
    assert list(searched(sweep_of(space=space))) == ["c", "d"]


def test_turns_are_stretches_of_training_in_few_lanes() -> None:
    told = [
        epoch(0, 1, 0.5, 1, at=110.0, epoch_s=5.0),
        epoch(0, 2, 0.5, 2, at=115.5, epoch_s=5.0),  # half a second for the decision
        epoch(1, 1, 0.5, 3, at=116.0, epoch_s=2.0),
        epoch(0, 3, 0.5, 4, at=130.0, epoch_s=5.0),
        epoch(2, 1, 0.5, 5, at=131.0, epoch_s=1.0),
    ]
    found = turns(sweep_of(*suggested(0, 1, 2), *told))
    assert [(turn.trial.number, turn.lane, turn.stretches) for turn in found] == [
        (0, 0, [(5.0, 15.5), (25.0, 30.0)]),
        (1, 1, [(14.0, 16.0)]),
        (2, 0, [(30.0, 31.0)]),
    ]


def test_short_epochs_that_are_told_together_are_drawn_for_as_long_as_all_of_them_took() -> None:
    told = [epoch(0, number, 0.5, number, at=110.0, epoch_s=0.5) for number in (1, 2, 3)]
    later = [epoch(0, number, 0.5, number, at=120.0, epoch_s=0.5) for number in (4, 5)]
    [turn] = turns(sweep_of(*suggested(0), *told, *later))
    assert (turn.start_s, turn.stretches) == (8.5, [(8.5, 10.0), (19.0, 20.0)])


def test_the_time_without_a_driver_is_left_out() -> None:
    left = [epoch(0, 1, 0.5, 1, at=105.0), ev.SweepInterruptedEvent(at=106.0, reason="")]
    again = [ev.SweepResumed(at=9000.0, changes={}), epoch(0, 2, 0.5, 2, at=9004.0)]
    found = turns(sweep_of(*suggested(0), *left, *again))
    assert [turn.stretches for turn in found] == [[(4.0, 5.0)], [(9.0, 10.0)]]


def test_an_axis_shows_the_best_and_not_the_worst_tenth() -> None:
    values = [float(n) for n in range(1, 10)] + [1e9]
    low, high = shown_range(values, "min") or (math.nan, math.nan)
    assert low < 1 and 9 < high < 20
    low, high = shown_range([-value for value in values], "max") or (math.nan, math.nan)
    assert -20 < low < -9 and high > -1
    assert shown_range([], "min") is None
    low, high = shown_range([0.0], "min") or (math.nan, math.nan)
    assert low < 0 < high
