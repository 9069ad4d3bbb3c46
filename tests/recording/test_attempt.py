"""Attempts that hang where no time limit of MLflow's or a database's ends them."""

from __future__ import annotations

import threading

import pytest

from tuner.recording import attempt as module
from tuner.recording.attempt import HangingError, Pulse, attempt


def never() -> bool:
    return False


def test_an_attempt_returns_and_raises_as_its_work_does() -> None:
    def fail() -> None:
        raise KeyError("x")

    assert attempt(lambda: 7, Pulse(), never) == 7
    with pytest.raises(KeyError):
        attempt(fail, Pulse(), never)


def test_one_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANGS_S", 0.2)
    let_go = threading.Event()
    with pytest.raises(HangingError, match="no answer"):
        attempt(let_go.wait, Pulse(), never)
    let_go.set()


def test_one_that_is_slow_but_gets_answers_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HANGS_S", 0.5)
    pulse = Pulse()

    def work() -> int:
        for _ in range(10):
            threading.Event().wait(0.1)
            pulse.beat()
        return 7

    assert attempt(work, pulse, never) == 7


def test_one_that_the_caller_gives_up_is_left_alone() -> None:
    let_go = threading.Event()
    with pytest.raises(HangingError):
        attempt(let_go.wait, Pulse(), lambda: True)
    let_go.set()
