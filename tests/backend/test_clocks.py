"""A sweep whose machine's clock is set while it runs, or between its drivers: only time at work counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.engine.test_coordinator import check_history
from tests.simulation import SimulatedCluster, accuracy, make_spec, new_sweep
from tests.storage.journal.test_clock import Machine
from tuner.analysis.curves import turns
from tuner.engine.coordinator import Coordinator, clock_text
from tuner.storage import SweepFolder
from tuner.storage.journal import Journal, read_events
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev


class Driver:
    """A driver on a machine whose clock can be set."""

    def __init__(self, folder: Path, machine: Machine, **changes: Any) -> None:
        self.machine, self.told = machine, list[str]()
        self.spec = make_spec(budget={"wall_time": "1h"}, **changes)
        if not (folder / self.spec.name).exists():
            new_sweep(folder, self.spec).close()
        self.journal = Journal(SweepFolder(folder / self.spec.name), machine.clock())
        self.journal.append(ev.SweepResumed(changes={}))
        self.coordinator = Coordinator(self.spec, self.journal, self.told.append, self.told.append)
        self.cluster = SimulatedCluster(self.coordinator, self._curve)

    def _curve(self, params: dict[str, Any], epoch: int) -> float:
        self.machine.works(0.05)  # of the four workers' epochs each is of 0.01 s
        return accuracy(params, epoch)

    def leave(self) -> Sweep:
        self.coordinator.close()
        self.journal.close()
        return fold(read_events(self.journal.folder))


@pytest.mark.parametrize("by_s", [7200.0, -7200.0, 1e9, -1e9])
def test_a_clock_that_is_set_uses_up_no_budget_and_is_noted(tmp_path: Path, by_s: float) -> None:
    machine = Machine()
    driver = Driver(tmp_path, machine)
    assert not driver.cluster.run(20)
    machine.wall_s += by_s
    assert driver.cluster.run()
    assert driver.coordinator.wall_s() < 600
    sweep = driver.leave()
    check_history(driver.journal.folder)
    assert sweep.ended is not None and sweep.ended.state == "finished"
    [jumped] = [event for event in read_events(driver.journal.folder) if isinstance(event, ev.ClockJumped)]
    assert jumped.by_s == pytest.approx(by_s)
    assert driver.told == [clock_text(by_s)] * 2  # in the log and on the terminal
    assert 0 < sweep.utilization <= 1 and 0 < sweep.spans[-1].last_at - sweep.spans[-1].started_at < 600


@pytest.mark.parametrize("by_s", [7200.0, -7200.0, -1e9])
def test_the_next_driver_may_live_at_another_time_and_durations_stay_right(tmp_path: Path, by_s: float) -> None:
    machine = Machine()
    first = Driver(tmp_path, machine)
    assert not first.cluster.run(20)
    before = first.leave()
    machine.wall_s += by_s
    second = Driver(tmp_path, machine)
    assert not second.coordinator.finished and second.coordinator.wall_s() == pytest.approx(before.wall_s)
    assert second.cluster.run()
    sweep = second.leave()
    check_history(second.journal.folder)
    assert before.wall_s < sweep.wall_s < 600 and 0 < sweep.utilization <= 1 and sweep.slot_hours > before.slot_hours
    assert all(0 <= turn.start_s <= turn.end_s <= sweep.wall_s for turn in turns(sweep))
    assert second.told == []  # nobody set the clock while it ran


def test_a_budget_is_used_up_by_work_though_the_clock_was_set_back(tmp_path: Path) -> None:
    machine = Machine()
    driver = Driver(tmp_path, machine)
    assert not driver.cluster.run(20)
    machine.wall_s -= 7200
    machine.works(3600)
    assert driver.cluster.run()
    ended = driver.leave().ended
    assert ended is not None and ended.state == "paused" and "3600 s is used up" in ended.reason


@pytest.mark.parametrize("by_s", [-3.0, -7200.0])
def test_a_journal_of_an_earlier_version_that_followed_the_clock_back_has_no_negative_times(
    tmp_path: Path, by_s: float
) -> None:
    """Its first driver's events after the jump are before those that came first."""
    machine = Machine()
    driver = Driver(tmp_path, machine)
    assert driver.cluster.run()
    sound = driver.leave()
    events = read_events(driver.journal.folder)[1:]
    half = len(events) // 2
    events[half:] = [msgspec.structs.replace(event, at=event.at + by_s) for event in events[half:]]
    sweep = fold([*read_events(driver.journal.folder)[:1], *events])
    assert 0 < sweep.utilization <= 1
    assert sound.wall_s - 1 < sweep.wall_s <= sound.wall_s + 1
    assert all(0 <= turn.start_s <= turn.end_s <= sweep.wall_s for turn in turns(sweep))
