"""Budgets and plateaus, and what a lost worker is put down to: pure rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.base.words import Params
from tuner.engine import deaths
from tuner.engine.budget import plateau, trials_without_improvement, used_up
from tuner.engine.deaths import cause_of_death, kernel_memory_kills
from tuner.storage.journal import Journal, read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


def sweep_of(*events: tuple[float, ev.AnyEvent], **budget: Any) -> Sweep:
    """A folded sweep of events at given seconds."""
    import msgspec

    spec = make_spec(budget=budget).resolved()
    started = ev.SweepStarted(spec=spec, versions={}, seed=0, sweep_id="x")
    return fold(msgspec.structs.replace(event, at=at) for at, event in ((0.0, started), *events))


def trial(number: int, value: float, at: float, outcome: str = "completed") -> list[tuple[float, ev.AnyEvent]]:
    epoch = ev.EpochReported(
        trial=number, attempt=1, epoch=1, metrics={"val_accuracy": value}, epoch_s=1, decision="stop", reason=""
    )
    params: Params = {"epochs": 1}
    return [
        (at, ev.TrialSuggested(trial=number, params=params, origin="random")),
        (at, epoch),
        (at, ev.TrialEnded(trial=number, outcome=outcome, reason="")),
    ]


def test_cost_counts_every_slot_by_the_hour_at_work_or_idle_over_all_drivers() -> None:
    sweep = sweep_of(
        (10.0, ev.SlotsChanged(slots=4)),  # from the driver's start on
        (3600.0, ev.SlotsChanged(slots=2)),
        (7200.0, ev.SweepInterruptedEvent(reason="")),
        (90_000.0, ev.SweepResumed(changes={})),
        (90_000.0, ev.SlotsChanged(slots=1)),
        (93_600.0, ev.SlotsChanged(slots=2)),
    )
    assert sweep.slot_hours == pytest.approx(4 + 2 + 1)
    budget = make_spec(budget={"cost": 21.0, "price": 2.0}).budget
    assert used_up(budget, sweep, 93_600.0 + 3599) is None
    end = used_up(budget, sweep, 93_600.0 + 3 * 3600 + 1800.1)
    assert (
        end is not None and end.state == "paused" and end.reason == "the budget of 21 is used up (2 an hour and slot)"
    )


def test_a_plateau_is_no_improvement_beyond_min_delta_by_so_many_trials() -> None:
    values = [0.5, 0.6, 0.605, 0.604, 0.9, 0.609]
    outcomes = ["completed", "stopped", "completed", "completed", "diverged", "completed"]
    events = [e for i, (v, o) in enumerate(zip(values, outcomes, strict=True)) for e in trial(i, v, 10.0 + i, o)]
    sweep = sweep_of(*events)
    assert trials_without_improvement(sweep, 0.01) == 4
    assert trials_without_improvement(sweep, 0.0) == 0
    assert plateau(make_spec(budget={"plateau": {"trials": 5, "min_delta": 0.01}}).budget, sweep) is None
    end = plateau(make_spec(budget={"plateau": {"trials": 4, "min_delta": 0.01}}).budget, sweep)
    assert end is not None and (end.state, end.reason) == ("stopped", "no improvement of more than 0.01 for 4 trials")


def test_where_less_is_better_an_improvement_is_by_more_than_min_delta_below() -> None:
    values = [0.5, 0.6, 0.495, 0.48, 0.475]
    sweep = sweep_of(*(e for i, value in enumerate(values) for e in trial(i, value, 10.0 + i)))
    sweep.spec["objective"]["mode"] = "min"
    for number, value in enumerate(values):
        sweep.trials[number].best_value = value
    assert trials_without_improvement(sweep, 0.01) == 1


def test_a_plateau_is_counted_in_the_order_in_which_trials_ended() -> None:
    sweep = sweep_of(*trial(1, 0.8, 10.0), *trial(2, 0.7, 20.0), *trial(0, 0.9, 30.0))
    assert trials_without_improvement(sweep, 0.0) == 0  # the best one was the last
    sweep = sweep_of(*trial(0, 0.7, 30.0), *trial(1, 0.8, 10.0), *trial(2, 0.9, 20.0))  # the clock was set back
    assert trials_without_improvement(sweep, 0.0) == 0


def test_a_budget_is_used_up_as_soon_as_it_is_reached() -> None:
    sweep = sweep_of((0.0, ev.SlotsChanged(slots=2)), *trial(0, 0.5, 1800.0))
    for budget in ({"wall_time": 3600}, {"cost": 2.0, "price": 1.0}):
        assert used_up(make_spec(budget=budget).budget, sweep, 3599.9) is None
        end = used_up(make_spec(budget=budget).budget, sweep, 3600.0)
        assert end is not None and end.state == "paused"
    assert used_up(make_spec(budget={"epochs": 1}).budget, sweep, 0.0) is not None  # a clock that was set back
    assert used_up(make_spec(budget={"wall_time": 1799}).budget, sweep, 0.0) is not None


def test_a_plateau_stops_the_sweep_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    def flat(params: dict[str, Any], epoch: int) -> float:
        return 0.5

    journal = new_sweep(tmp_path, make_spec(budget={"plateau": 5}))
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, flat, slots=2).run()
    coordinator.close()
    journal.close()
    sweep = fold(read_events(journal.folder))
    assert sweep.ended is not None and sweep.ended.state == "stopped"
    ended = sum(trial.outcome is not None for trial in sweep.trials.values())
    assert 6 <= ended < 9

    again = Journal(journal.folder)
    again.events += again.append(ev.SweepResumed(changes={"budget.plateau.trials": 12}))
    spec = make_spec(budget={"plateau": 12})
    from tuner.engine.coordinator import Coordinator

    coordinator = Coordinator(spec, again, log=lambda line: None)
    assert SimulatedCluster(coordinator, flat, slots=2).run()
    again.close()
    sweep = fold(read_events(journal.folder))
    assert 13 <= sum(trial.outcome is not None for trial in sweep.trials.values()) < 16


def test_a_used_up_budget_gives_out_no_work_when_resumed(tmp_path: Path) -> None:
    journal = new_sweep(tmp_path, make_spec(budget={"epochs": 20}))
    coordinator = coordinator_of(journal)
    assert SimulatedCluster(coordinator, accuracy).run()
    coordinator.close()
    journal.close()
    again = Journal(journal.folder)
    again.events += again.append(ev.SweepResumed(changes={}))
    coordinator = coordinator_of(again)
    assert coordinator.finished and coordinator.next_trial() is None
    coordinator.close()
    again.close()
    ended = fold(read_events(journal.folder)).ended
    assert ended is not None and ended.state == "paused"


SIGKILLED = """ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
\tThe actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker
unexpectedly exits with a connection error code 2. End of file. Some common causes include: (1) the process was killed
by the OOM killer due to high memory usage, (2) ray stop --force was called, or (3) the worker crashed unexpectedly."""


@pytest.mark.parametrize(
    ("details", "silent_s", "kernel", "cause"),
    [
        (SIGKILLED, 0.5, False, "worker"),
        (SIGKILLED, 0.5, True, "memory"),
        (SIGKILLED, 31.0, False, "timeout"),
        ("OutOfMemoryError: Task was killed due to the node running low on memory.", 0.5, False, "memory"),
        ("The actor died because its node has died. Node Id: 3b1", 60.0, False, "node"),
        (
            "ActorUnavailableError: RPC error: Socket closed. The task may or may not have been executed.",
            0.1,
            False,
            "node",
        ),
        ("", 0.1, False, "worker"),
    ],
)
def test_what_a_death_is_put_down_to(details: str, silent_s: float, kernel: bool, cause: str) -> None:
    found, reason = cause_of_death(details, silent_s, 30.0, kernel_was_out_of_memory=kernel)
    assert found == cause and reason and "\n" not in reason


@pytest.mark.parametrize(
    ("details", "gist"),
    [
        ("Worker exit detail: Worker exits\n by SystemExit(3). More.", ": Worker exits by SystemExit(3)"),
        ("Traceback\n  ValueError: one\n  The actor was killed by tuner\n  at noon", ": The actor was killed by tuner"),
        ("nothing of note", ""),
        ("Error " + "x" * 999, ": Error " + "x" * 294),
    ],
)
def test_the_line_that_says_most_is_told_however_long_nothing_was_heard(details: str, gist: str) -> None:
    assert cause_of_death(details, 1e9, None) == ("worker", f"the worker process died{gist}")


def test_an_epoch_is_too_long_at_its_timeout() -> None:
    assert cause_of_death("", 29.9, 30.0)[0] == "worker"
    reason = "it took longer than failures.trial_timeout (30 s) and was ended"
    assert cause_of_death("", 30.0, 30.0) == ("timeout", reason)


def test_the_kernel_says_how_often_it_killed_for_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, kernel = tmp_path / "memory.events", tmp_path / "vmstat"
    monkeypatch.setattr(deaths, "_CGROUP", group)
    monkeypatch.setattr(deaths, "_KERNEL", kernel)
    assert kernel_memory_kills() == 0
    kernel.write_text("nr_free_pages 5\noom_kill 7\n")
    assert kernel_memory_kills() == 7
    for group_text, kills in (("max 0\noom 2\noom_kill 3\n", 3), ("max 0\n", 7), ("not what it was\n", 7)):
        group.write_text(group_text)
        assert kernel_memory_kills() == kills


def test_a_process_that_died_while_it_loaded_took_too_long_only_beyond_the_time_for_that() -> None:
    reason = "the worker process died: it crashed or was killed"
    assert cause_of_death(SIGKILLED.replace("\n", " "), 100.0, 30.0, loading_s=600.0) == ("worker", reason)
    cause, reason = cause_of_death(SIGKILLED, 631.0, 30.0, loading_s=600.0)
    assert cause == "timeout" and "longer than failures.trial_timeout (30 s) and 600 s for TensorFlow" in reason
