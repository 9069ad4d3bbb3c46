"""The fold: what a sweep is after its events, in times and values."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from tests.simulation import make_spec
from tuner.sweep import Sweep, Trial, fold
from tuner.sweep import events as ev

Timed = tuple[float, ev.AnyEvent]


def sweep_of(*events: Timed, mode: str = "max") -> Sweep:
    """A folded sweep of events at given seconds."""
    started = ev.SweepStarted(spec=make_spec(objective__mode=mode).resolved(), versions={}, seed=0, sweep_id="x")
    every = ((0.0, started), *events)
    return fold(msgspec.structs.replace(event, at=at, seq=seq) for seq, (at, event) in enumerate(every))


def suggested(trial: int) -> ev.TrialSuggested:
    return ev.TrialSuggested(trial=trial, params={"epochs": 9}, origin="random")


def epoch(trial: int, epoch: int, val_accuracy: float, **metrics: Any) -> ev.EpochReported:
    metrics["val_accuracy"] = val_accuracy
    return ev.EpochReported(trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=2, decision="", reason="")


def ended(trial: int, outcome: str = "completed") -> ev.TrialEnded:
    return ev.TrialEnded(trial=trial, outcome=outcome, reason="why")


def test_times_count_while_drivers_run_and_utilization_from_the_first_epoch_on() -> None:
    assert (sweep_of().slots, sweep_of().utilization) == (0, 0)
    before = [(1.0, ev.SlotsChanged(slots=9)), (2.0, ev.SlotsChanged(slots=2)), (10.0, suggested(0))]
    assert sweep_of(*before).utilization == 0
    first = [*before, (12.0, epoch(0, 1, 0.1)), (20.0, epoch(0, 2, 0.2)), (22.0, ev.SweepInterruptedEvent(reason=""))]
    sweep = sweep_of(*first)
    assert (sweep.wall_s, sweep.training_s, sweep.slots) == (22, 4, 2)
    assert sweep.utilization == pytest.approx(4 / (2 * 10))  # from 10, where the first epoch began, to 20
    idle = [*first, (500.0, ev.SweepResumed(changes={})), (501.0, ev.SlotsChanged(slots=7))]
    assert sweep_of(*idle).utilization == sweep.utilization  # no epoch of that driver's
    resumed = [*idle, (1000.0, ev.SweepResumed(changes={})), (1001.0, ev.SlotsChanged(slots=3))]
    sweep = sweep_of(*resumed, (1006.0, epoch(0, 3, 0.3)), (1008.0, ev.SlotsChanged(slots=1)))
    assert (sweep.wall_s, sweep.training_s, sweep.slots) == (31, 6, 1)
    assert sweep.utilization == pytest.approx(6 / (2 * 10 + 3 * 6))
    assert sweep.slot_hours == pytest.approx((9 * 2 + 2 * 20 + 7 * 1 + 3 * 8) / 3600)
    assert sweep.num_events == 13


def test_utilization_begins_where_the_first_epoch_did_whoever_tells_of_it_and_whenever() -> None:
    begun: list[Timed] = [(0.0, ev.SlotsChanged(slots=2)), (0.0, suggested(0)), (0.0, suggested(1))]
    together = [(20.0, epoch(0, number, 0.1)) for number in (1, 2, 3)]  # of 2 s each, in one report
    assert sweep_of(*begun, *together).utilization == pytest.approx(6 / (2 * 6))
    long = msgspec.structs.replace(epoch(1, 1, 0.1), epoch_s=9)
    sweep = sweep_of(*begun, (20.0, epoch(0, 1, 0.1)), (22.0, epoch(0, 2, 0.1)), (24.0, long), (24.0, epoch(0, 3, 0.1)))
    assert sweep.spans[0].first_epoch_at == 15 and sweep.utilization == pytest.approx(15 / (2 * 9))


def test_a_resume_takes_back_the_sweeps_end_and_changes_its_spec() -> None:
    end = [(1.0, ev.SweepInterruptedEvent(reason="")), (2.0, ev.SweepEnded(reason="", state="paused"))]
    sweep = sweep_of(*end)
    assert sweep.ended is not None and sweep.interrupted is not None
    sweep = sweep_of(*end, (3.0, ev.SweepResumed(changes={"num_trials": 50, "budget.plateau.trials": 7})))
    assert (sweep.ended, sweep.interrupted, sweep.num_trials) == (None, None, 50)
    assert sweep.spec["budget"]["plateau"] == {"trials": 7} and sweep.mode == "max"


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_best_trial_is_the_best_usable_one_and_of_equal_values_the_first_reached(mode: str) -> None:
    sign = 1 if mode == "max" else -1
    events: list[Timed] = [(0.0, suggested(number)) for number in range(4)]
    events += [(1.0, epoch(1, 1, sign * 0.5)), (2.0, epoch(0, 1, sign * 0.5)), (3.0, epoch(2, 1, math.nan))]
    sweep = sweep_of(*events, mode=mode)
    assert sweep.best is sweep.trials[1] and [trial.number for trial in sweep.ranked()] == [1, 0]
    events += [(4.0, epoch(0, 2, sign * 0.6)), (5.0, epoch(0, 3, sign * 0.6))]
    sweep = sweep_of(*events, mode=mode)
    assert sweep.best is not None
    assert (sweep.best.number, sweep.best.best_epoch, sweep.best.best_value) == (0, 2, sign * 0.6)
    sweep = sweep_of(*events, (6.0, ended(0, "failed")), (7.0, ended(1)), mode=mode)
    assert sweep.best is sweep.trials[1] and [trial.number for trial in sweep.ranked()] == [1]
    assert [trial.number for trial in sweep.unfinished] == [2, 3]
    assert {name: count for name, count in sweep.outcomes().items() if count} == {
        "completed": 1, "failed": 1, "unfinished": 2,
    }  # fmt: skip
    assert sweep_of(*events, (6.0, ended(0, "diverged")), (7.0, ended(1, "failed")), mode=mode).best is None


@pytest.mark.parametrize("name", ["val_accuracy", "loss", "val_loss"])
@pytest.mark.parametrize("value", [math.nan, -math.inf, None])
def test_an_epoch_at_which_anything_diverged_has_no_value(name: str, value: float | None) -> None:
    metrics: Any = {"val_accuracy": 0.9, "loss": 0.1, "val_loss": 0.1}
    assert sweep_of((0.0, suggested(0)), (1.0, epoch(0, 1, **metrics))).best is not None
    diverged = epoch(0, 1, **{**metrics, name: value})
    sweep = sweep_of((0.0, suggested(0)), (1.0, diverged))
    assert sweep.best is None and sweep.num_epochs == 1 and math.isnan(sweep.value(diverged))


def test_a_trial_counts_its_attempts_its_own_failures_and_its_first_start() -> None:
    def start(attempt: int) -> ev.TrialStarted:
        return ev.TrialStarted(trial=0, attempt=attempt, node="a", pid=1, gpus=[])

    def failed(attempt: int, counts: bool) -> ev.AttemptFailed:
        return ev.AttemptFailed(trial=0, attempt=attempt, cause="error", reason="", counts=counts)

    events = [
        (5.0, start(1)),
        (6.0, failed(1, True)),
        (7.0, start(2)),
        (8.0, failed(2, False)),
        (9.0, failed(3, False)),
    ]
    trial = sweep_of((4.0, suggested(0)), *events, (10.0, ended(0, "cancelled"))).trials[0]
    assert (trial.attempts, trial.failures, trial.outcome, trial.reason) == (3, 1, "cancelled", "why")
    assert trial.last_failure is not None and trial.last_failure.attempt == 1
    assert sweep_of((4.0, suggested(0)), (5.0, start(2))).trials[0].attempts == 2


def test_a_sweep_of_before_ids_is_told_by_its_name_and_start() -> None:
    assert sweep_of().sweep_id == "x"
    started = ev.SweepStarted(spec=make_spec().resolved(), versions={}, seed=0, at=1.5)
    assert fold([started]).sweep_id == "test-1.500000"


def test_test_metrics_are_those_of_the_best_epochs_weights_and_the_newest_best_weights_stay() -> None:
    def saved(at: int, best: int, kind: str = "best", **test: float) -> ev.CheckpointSaved:
        return ev.CheckpointSaved(trial=0, epoch=at, path=f"{kind}-{at}", best_epoch=best, kind=kind, test=dict(test))

    def of(*events: ev.AnyEvent) -> Trial:
        reached = [(1.0, epoch(0, 1, 0.5)), (2.0, epoch(0, 2, 0.7)), (3.0, epoch(0, 3, 0.6))]
        return sweep_of((0.0, suggested(0)), *reached, *((4.0, event) for event in events)).trials[0]

    checkpoints = [saved(1, 1, accuracy=0.4), saved(3, 2, accuracy=0.8), saved(3, 2, kind="full")]
    assert of(*checkpoints[:1]).test_metrics == {}  # of the first epoch, which is not the best one
    assert of(*checkpoints).test_metrics == {"accuracy": 0.8}
    kept = of(*checkpoints, ev.CheckpointsDeleted(trial=0, keeps_best=True))
    assert [checkpoint.path for checkpoint in kept.checkpoints] == ["best-3"]
    assert kept.test_metrics == {"accuracy": 0.8} and kept.epochs_trained == 3 and kept.training_s == 6
    assert of(*checkpoints, ev.CheckpointsDeleted(trial=0)).checkpoints == []
