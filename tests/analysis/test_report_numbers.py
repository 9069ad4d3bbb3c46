"""The numbers behind a report: what early stopping saved, rungs, where the time went, speed, endings, thinning."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.test_curves import epoch, suggested, sweep_of
from tuner.analysis.curves import improvements
from tuner.analysis.outcomes import endings
from tuner.analysis.rungs import rungs
from tuner.analysis.saved import saved
from tuner.analysis.thinning import evenly, length_max, shown_trials
from tuner.analysis.throughput import throughput
from tuner.analysis.timeline import timeline
from tuner.sweep import events as ev


def drawn(trial: int, **params: Any) -> ev.TrialSuggested:
    return ev.TrialSuggested(at=100.0, trial=trial, params={"epochs": 9, **params}, origin="random")


def ended(trial: int, outcome: Any, reason: str = "") -> ev.TrialEnded:
    return ev.TrialEnded(at=0.0, trial=trial, outcome=outcome, reason=reason)


ASHA = {"epochs": {"min": 1, "max": 9}, "early_stopping": {"algorithm": "asha", "reduction_factor": 3}}


def test_a_stopped_trial_saves_its_other_epochs_at_its_usual_pace() -> None:
    told = [epoch(0, 1, 0.1, 1, epoch_s=9.0), epoch(0, 2, 0.1, 2, epoch_s=2.0), epoch(0, 3, 0.1, 3, epoch_s=2.0)]
    sweep = sweep_of(drawn(0), drawn(1), *told, ended(0, "stopped"), epoch(1, 1, None, 4), ended(1, "diverged"))
    found = saved(sweep)
    assert found is not None
    assert (found.trials, found.epochs, found.seconds) == (1, 6, 12.0)  # nothing is saved by a divergence
    assert (found.epochs_trained, found.epochs_share) == (4, 0.6)
    assert saved(sweep_of(drawn(0), *told)) is None


def test_a_rung_has_the_values_at_its_epoch_and_whom_it_stopped() -> None:
    told = [epoch(0, n, 0.1 * n, n) for n in (1, 2, 3, 4)] + [epoch(1, 1, 0.05, 5), epoch(2, 1, None, 6)]
    sweep = sweep_of(drawn(0), drawn(1), drawn(2), *told, ended(0, "stopped"), ended(1, "stopped"), **ASHA)
    found = [(rung.epoch, sorted(rung.values), sorted(rung.stopped)) for rung in rungs(sweep)]
    assert found == [(1, [0, 1], [1]), (3, [0], [0])]  # 0 was judged again after epoch 4
    assert rungs(sweep_of(drawn(0), *told[:4])) == []


def test_the_time_of_the_slot_that_finished_last_is_the_sweeps_time() -> None:
    told = [
        ev.SlotsChanged(at=100.0, slots=2),
        *suggested(0, 1, 2),
        epoch(0, 1, 0.5, 1, at=110.0, epoch_s=4.0),  # starts at 106
        epoch(1, 1, 0.5, 2, at=112.0, epoch_s=4.0),
        epoch(0, 2, 0.5, 3, at=120.0, epoch_s=4.0),
        ev.SweepEnded(at=123.0, reason=""),
    ]
    found = timeline(sweep_of(*told))
    assert found is not None
    path = found.critical
    assert (path.start_s, path.training_s, path.idle_s, path.end_s) == (6.0, 8.0, 6.0, 3.0)
    assert path.total_s == 23.0 and (found.slots.total_s, found.slots.training_s) == (46.0, 12.0)
    assert timeline(sweep_of(*suggested(0))) is None


def test_the_time_without_a_driver_belongs_to_nobody() -> None:
    left = [
        ev.SlotsChanged(at=100.0, slots=1),
        *suggested(0),
        epoch(0, 1, 0.5, 1, at=105.0),
    ]
    again = [ev.SweepResumed(at=9000.0, changes={}), ev.SlotsChanged(at=9000.0, slots=1),
             epoch(0, 2, 0.5, 2, at=9004.0)]  # fmt: skip
    found = timeline(sweep_of(*left, *again))
    assert found is not None and found.critical.total_s == 9.0 == found.slots.total_s


def test_speed_leaves_out_the_first_epoch_and_counts_examples_where_it_can() -> None:
    told = [epoch(0, 1, 0.1, 1, epoch_s=9.0), epoch(0, 2, 0.1, 2, epoch_s=2.0), epoch(1, 1, 0.1, 3, epoch_s=4.0)]
    sweep = sweep_of(drawn(0, batch_size=32), drawn(1, batch_size=64), *told)
    by_epochs = throughput(sweep)
    assert by_epochs is not None and (by_epochs.unit, by_epochs.medians()) == ("epochs", {32: 0.5, 64: 0.25})
    for one in told:
        one.metrics["samples"] = 100.0 * one.epoch
    by_examples = throughput(sweep)
    assert by_examples is not None and (by_examples.unit, by_examples.medians()) == ("examples", {32: 50.0, 64: 25.0})
    assert throughput(sweep_of(drawn(0), told[0])) is None


def test_reasons_that_differ_in_numbers_alone_are_one() -> None:
    reasons = ["place 2 of 3", "place 3 of 9", "ValueError: no\ntraceback"]
    sweep = sweep_of(*map(drawn, range(4)), *(ended(n, "stopped", reason) for n, reason in enumerate(reasons)))
    stopped, unfinished = endings(sweep)
    assert stopped.reasons == [("place 2 of 3", 2), ("ValueError: no", 1)]
    assert (stopped.outcome, stopped.trials, unfinished.outcome) == ("stopped", 3, "unfinished")


def test_improvements_tell_whose_they_are() -> None:
    told = [epoch(0, 1, 0.2, 1), epoch(1, 1, 0.1, 2), epoch(1, 2, 0.4, 3)]
    assert improvements(sweep_of(*suggested(0, 1), *told)) == [(1, 0, 0.2), (3, 1, 0.4)]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(60, 300))
def test_curves_are_cut_to_a_total(lengths: list[int], total: int) -> None:
    longest = length_max(lengths, total)
    assert sum(min(longest, length) for length in lengths) <= total
    if sum(lengths) <= total:
        assert longest >= max(lengths)


@given(st.lists(st.integers(), max_size=40, unique=True), st.integers(2, 20))
def test_evenly_keeps_both_ends(items: list[int], number: int) -> None:
    kept = evenly(items, number)
    assert len(kept) == len(set(kept)) == min(len(items), number)
    assert kept[:1] == items[:1] and kept[-1:] == items[-1:]


def test_the_best_and_the_newest_trials_are_shown() -> None:
    told = [epoch(n, 1, float(n % 10), n + 1) for n in range(100)]
    shown = {trial.number for trial in shown_trials(sweep_of(*suggested(*range(100)), *told), 20)}
    assert len(shown) == 20 and {9, 19, 29, 99, 98, 97, 0} <= shown
