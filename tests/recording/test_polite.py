"""What a recorder takes of the processor."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from tuner.recording.polite import lower_priority


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
