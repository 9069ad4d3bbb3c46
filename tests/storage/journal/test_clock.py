"""A journal's clock: seconds that nobody can set, and the note that somebody tried."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.journal.making import folder_in, new_sweep, suggested
from tuner.storage.journal import Journal, SteadyClock


@dataclasses.dataclass
class Machine:
    """A machine's two clocks."""

    wall_s: float = 1.8e9
    steady_s: float = 500.0

    def works(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_s, lambda: self.steady_s)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)), max_size=9))
def test_only_time_at_work_passes_however_the_clock_is_set(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == pytest.approx(machine.wall_s)
    for works_s, set_s in steps:
        before = clock.now()
        machine.works(works_s)
        machine.wall_s += set_s
        assert clock.now() - before == pytest.approx(works_s, abs=1e-5)
        assert clock.jumped_s() == pytest.approx(set_s if abs(set_s) > 5.0001 else 0.0, abs=5.0002)


def test_a_jump_is_told_once_and_what_keeps_a_clock_right_is_none() -> None:
    machine = Machine()
    clock = machine.clock()
    for _ in range(100):
        machine.works(60.0)
        machine.wall_s += 0.4
        assert clock.jumped_s() == 0
    for by_s in (7200.0, -14400.0):
        machine.wall_s += by_s
        assert clock.jumped_s() == pytest.approx(by_s)
        assert clock.jumped_s() == 0


def test_a_machine_that_slept_looks_like_one_whose_clock_was_set_forward() -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now()
    machine.wall_s += 3600  # and the steady clock stood still
    assert clock.now() == before and clock.jumped_s() == pytest.approx(3600)


@pytest.mark.parametrize("by_s", [7200.0, -7200.0])
def test_events_of_one_driver_follow_each_other_and_the_next_one_reads_the_clock_anew(
    tmp_path: Path, by_s: float
) -> None:
    new_sweep(tmp_path).close()
    machine = Machine()
    journal = Journal(folder_in(tmp_path), machine.clock())
    [first] = journal.append(suggested(0))
    machine.works(3.0)
    machine.wall_s += by_s
    [second] = journal.append(suggested(1))
    journal.close()
    assert first.at == pytest.approx(1.8e9) and second.at - first.at == pytest.approx(3.0)
    journal = Journal(folder_in(tmp_path), machine.clock())
    [third] = journal.append(suggested(2))
    journal.close()
    assert third.at == pytest.approx(machine.wall_s)
