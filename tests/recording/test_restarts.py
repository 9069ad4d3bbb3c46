"""When a recorder that died is started again."""

from __future__ import annotations

from tuner.recording.restarts import IN_VAIN_MAX, STEADY_S, WAIT_MAX_S, Restarts


def test_each_wait_is_twice_the_last_until_it_is_given_up() -> None:
    restarts = Restarts()
    waits = [restarts.wait_s(lived_s=0.5, seq=0) for _ in range(IN_VAIN_MAX + 1)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, None]


def test_one_that_lived_long_begins_from_the_first_wait() -> None:
    restarts = Restarts()
    assert [restarts.wait_s(0.5, 0) for _ in range(4)] == [1, 2, 4, 8]
    assert restarts.wait_s(STEADY_S, 0) == 1
    assert restarts.wait_s(0.5, 0) == 2


def test_one_that_recorded_something_each_time_is_never_given_up() -> None:
    restarts = Restarts()
    waits = [restarts.wait_s(lived_s=20.0, seq=seq) for seq in range(1, 100)]
    assert waits[-1] == WAIT_MAX_S
    assert [restarts.wait_s(20.0, 99) for _ in range(IN_VAIN_MAX)] == [WAIT_MAX_S] * (IN_VAIN_MAX - 1) + [None]
