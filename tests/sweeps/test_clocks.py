"""A real driver whose machine's clock is set while it works, by a library between it and the kernel."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.clocks import LIBRARY, FakeClock
from tests.sweeps.conftest import ONE_SLOT, Cli, finish, slowed
from tuner.review.verification import verify_sweep
from tuner.storage.journal import read_holder
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TWO_HOURS_S = 7200.0


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of commands that are started from now on, and of those that run, so far from this process's."""
    if LIBRARY is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs libfaketime")
    clock = FakeClock(tmp_path)
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    return clock.set


def test_a_clock_that_is_set_forward_and_back_costs_nothing(
    cli: Cli,
    tiny_spec: Callable[..., str],
    tmp_path: Path,
    set_clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two hours forward under a budget of one, then to two hours before; the next driver has the right clock again."""
    space, slow_while = slowed(tmp_path)
    epochs, budget = {"min": 27, "max": 27}, {"wall_time": "1h"}
    spec = tiny_spec(num_trials=2, space=space, epochs=epochs, budget=budget, resources=ONE_SLOT)
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: sweep.num_epochs >= 3)
    holder = read_holder(cli.folder("tiny"))
    assert holder is not None and holder.pid == driver.pid
    for offset_s in (TWO_HOURS_S, -TWO_HOURS_S):
        set_clock(offset_s)
        num_jumps = len(jumps(cli)) + 1
        num_epochs = cli.wait_for("tiny", partial(has_noted, cli, num_jumps)).num_epochs
        cli.wait_for("tiny", partial(has_trained, num_epochs + 2))
        now = read_holder(cli.folder("tiny"))
        assert now is not None and now.id == holder.id
    assert "another driver is running it" in cli("resume", "tiny", exit_code=2).stderr
    assert jumps(cli) == pytest.approx([TWO_HOURS_S, -2 * TWO_HOURS_S], abs=5)
    set_clock(0)  # Ray's own threads wait by clocks that the library tells them wrongly, and might never end
    driver.send_signal(signal.SIGTERM)
    said = finish(driver, exit_code=3)
    assert "clock was set 2 h 0 min forward" in said and "clock was set 4 h 0 min back" in said

    before = cli.events("tiny")
    slow_while.unlink()
    monkeypatch.delenv("LD_PRELOAD")
    cli("resume", "tiny")
    sweep, found = fold(cli.events("tiny")), verify_sweep(cli.folder("tiny"), before)
    assert found.ok and not found.skipped, str(found)
    assert sweep.ended is not None and sweep.ended.state == "finished"
    assert all(0 < span.last_at - span.started_at < 3600 for span in sweep.spans)
    assert 0 < sweep.wall_s < 3600 and 0 < sweep.utilization <= 1


def has_noted(cli: Cli, num_jumps: int, sweep: Sweep) -> bool:
    return len(jumps(cli)) == num_jumps


def has_trained(epochs: int, sweep: Sweep) -> bool:
    return sweep.num_epochs >= epochs


def jumps(cli: Cli) -> list[float]:
    return [event.by_s for event in cli.events("tiny") if isinstance(event, ev.ClockJumped)]
