"""Whether the process that a lease names still lives."""

from __future__ import annotations

import dataclasses

import psutil
import pytest

from tuner.storage.journal import Holder


@pytest.mark.parametrize("step_s", [-3600, 0, 3600])
def test_a_process_lives_on_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch, step_s: int) -> None:
    """Linux knows when a process began by its seconds after the boot, whose time moves with the clock."""
    written = Holder.this_process().to_bytes()
    boot_time = psutil._psplatform.boot_time
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot_time() + step_s)
    holder = Holder.from_bytes(written)
    assert holder is not None and holder.has_process


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux knows when a process began by a clock that is not set")
@pytest.mark.parametrize("step_s", [-7200, 7200])
def test_a_later_process_is_another_one_however_the_clock_was_set_since(
    monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    holder = Holder.this_process()
    assert holder.began_s is not None
    before = dataclasses.replace(holder, began_s=holder.began_s - 30, since=holder.since - 25)
    boot_time = psutil._psplatform.boot_time
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot_time() + step_s)
    assert not before.has_process


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    holder = Holder.this_process()
    assert holder.began_s is not None
    before = dataclasses.replace(holder, since=holder.since - 1e6, began_s=holder.began_s - 30)
    assert not before.has_process
    assert not dataclasses.replace(before, began_s=None).has_process  # of a version that did not write it
    assert dataclasses.replace(holder, began_s=None).has_process
