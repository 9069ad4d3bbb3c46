"""The signals that end a driver, sent for real."""

from __future__ import annotations

import signal
import threading

import pytest

from tuner.backend.signals import handled


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.usefixtures("heeded_sighup")
def test_each_is_passed_on_and_the_handlers_before_come_back() -> None:
    seen: list[signal.Signals] = []
    before = handlers()
    with handled(seen.append):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(number)
    assert seen == [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] and handlers() == before


def test_an_error_brings_the_handlers_back_too() -> None:
    before = handlers()

    def refuse(number: signal.Signals) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), handled(refuse):
        signal.raise_signal(signal.SIGTERM)
    assert handlers() == before


def test_sighup_stays_ignored_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seen: list[signal.Signals] = []
    try:
        with handled(seen.append):
            signal.raise_signal(signal.SIGHUP)
        assert seen == [] and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_a_thread_nothing_is_handled() -> None:
    before, during = handlers(), []

    def run() -> None:
        with handled(lambda number: None):
            during.extend(handlers())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert during == before
