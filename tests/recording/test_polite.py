"""What a recorder takes of the processor."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from tuner.recording.polite import lower_priority
from tuner.recording.service import PAUSE_MAX_S, pause_s


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has no priority of its own")
def test_a_thread_alone_steps_back_and_never_forward() -> None:
    before, seen = os.getpriority(os.PRIO_PROCESS, 0), list[int]()

    def step_back() -> None:
        for niceness in (before + 2, before + 1):
            lower_priority(niceness)
            seen.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=step_back)
    thread.start()
    thread.join()
    assert seen == [min(before + 2, 19)] * 2 and os.getpriority(os.PRIO_PROCESS, 0) == before


def test_after_more_work_it_waits_longer_within_bounds() -> None:
    assert pause_s(1.0, 0.001) == 1.0
    assert pause_s(1.0, 0.01) == 2.0
    assert pause_s(1.0, 60.0) == PAUSE_MAX_S
    assert pause_s(9.0, 60.0) == 9.0, "a journal on an object store is polled seldom anyway"
