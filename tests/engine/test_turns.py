"""Turns of workers, by a clock of the test's own: who hangs, and what a death is put down to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.simulation import coordinator_of, make_spec, new_sweep
from tuner.engine.coordinator import Coordinator
from tuner.engine.deaths import LOADING_S
from tuner.engine.messages import Loss, Report, TrainedEpoch
from tuner.engine.turns import HANG_GRACE_S, KILLS_REMEMBERED, Turns
from tuner.sweep import events as ev

TIMEOUT_S = 5.0
EVERY_S = 3.0


class Made:
    """Turns over a real coordinator and journal, with a clock and a count of memory kills to set."""

    def __init__(self, folder: Path, timeout_s: float | None = TIMEOUT_S) -> None:
        self.now, self.kills = 1000.0, 0
        self.coordinator: Coordinator = coordinator_of(new_sweep(folder, make_spec()))
        self.coordinator.set_slots(4)
        self.turns = Turns(self.coordinator, timeout_s, "here", lambda: self.now, lambda: self.kills)
        self.turns.note_loop()

    def begin(self, turn: str) -> int:
        self.turns.start(turn)
        assignment = self.turns.assign(turn)
        assert assignment is not None
        return assignment.trial

    def report(self, turn: str, trial: int, node: str = "here", epochs: tuple[TrainedEpoch, ...] = ()) -> bool:
        attempt = self.coordinator.live[trial].attempt
        return self.turns.take_report(turn, Report(trial, attempt, node, 1, (), None, epochs), f"actor of {turn}")

    def look(self) -> list[Any]:
        """A look at a moment at which Tune's loop runs."""
        self.turns.note_loop()
        return self.turns.hanging(EVERY_S)

    @property
    def failures(self) -> list[tuple[int, str]]:
        events = self.coordinator.journal.events
        return [(event.trial, event.cause) for event in events if isinstance(event, ev.AttemptFailed)]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_a_worker_that_was_silent_for_too_long_at_two_looks_is_killed(made: Made) -> None:
    trial, other = made.begin("turn"), made.begin("other turn")
    assert made.report("turn", trial) and made.report("other turn", other)
    made.now += TIMEOUT_S + HANG_GRACE_S
    assert made.report("other turn", other)
    made.now += 1
    assert made.look() == []
    assert made.look() == ["actor of turn"]
    assert made.report("turn", trial)
    assert made.look() == [] and made.look() == []


def test_silence_means_nothing_while_tunes_loop_does_not_read(made: Made) -> None:
    trial = made.begin("turn")
    made.report("turn", trial)
    made.now += TIMEOUT_S + HANG_GRACE_S + 1
    assert made.look() == []
    made.now += EVERY_S + 1
    assert made.turns.hanging(EVERY_S) == [], "the loop has not run since"
    assert made.look() == [], "a look after that counts as the first one"
    assert made.look() == ["actor of turn"]


def test_without_a_timeout_nobody_hangs(tmp_path: Path) -> None:
    made = Made(tmp_path, timeout_s=None)
    made.report("turn", made.begin("turn"))
    made.now += 1e9
    assert made.look() == made.look() == []


def test_a_worker_that_was_not_heard_yet_has_time_to_load(made: Made) -> None:
    first, second = made.begin("first"), made.begin("second")
    made.report("second", second)
    made.now += TIMEOUT_S + 1
    made.turns.end("first", "it died")
    made.turns.end("second", "it died")
    third = made.begin("third")
    made.now += TIMEOUT_S + LOADING_S
    made.turns.end("third", "it died")
    assert made.failures == [(first, "worker"), (second, "timeout"), (third, "timeout")]


def test_waiting_for_a_node_is_no_silence(made: Made) -> None:
    assignment = made.turns.assign("turn")
    assert assignment is not None
    made.now += 10 * LOADING_S
    made.turns.start("turn")
    made.now += 1
    made.turns.end("turn", "it died")
    assert made.failures == [(assignment.trial, "worker")]


def test_the_kernels_memory_kills_count_for_workers_of_this_machine(made: Made) -> None:
    here, elsewhere, silent = made.begin("here"), made.begin("elsewhere"), made.begin("silent")
    made.report("here", here)
    made.report("elsewhere", elsewhere, node="another machine")
    made.kills = 1
    for turn in ("here", "elsewhere", "silent"):
        made.turns.end(turn, "it died")
    assert made.failures == [(here, "memory"), (elsewhere, "worker"), (silent, "memory")]


def test_a_memory_kill_of_long_ago_says_nothing(made: Made) -> None:
    made.kills = 1
    for _ in range(KILLS_REMEMBERED):
        made.turns.look_at_memory_kills()
    trial = made.begin("turn")
    made.turns.end("turn", "it died")
    assert made.failures == [(trial, "worker")]


def test_the_machine_of_an_attempt_before_says_nothing_about_the_next_one(made: Made) -> None:
    """A process that has not reported yet may be on this machine, whose kernel killed one for its memory."""
    trial = made.begin("first turn")
    made.report("first turn", trial, node="another machine")
    made.kills = 1
    made.turns.end("first turn", "it died")
    assert made.failures == [(trial, "worker")]
    while (again := made.begin("second turn")) != trial:
        made.turns.end("second turn")
    made.turns.end("second turn", "it died")
    assert made.failures[-1] == (again, "memory")


def test_a_report_on_the_trial_before_costs_no_retry(made: Made) -> None:
    before, trial = made.begin("other turn"), made.begin("turn")
    late = Report(before, 1, "here", 1, (), None)
    assert not made.turns.take_report("turn", late, "actor")
    made.turns.end("turn")
    assert made.failures == [(trial, "node")] and made.coordinator.sweep.trials[trial].failures == 0


def test_a_turn_without_a_trial_ends_without_a_word(made: Made) -> None:
    made.turns.end("turn", "it died")
    assert made.failures == []


def test_what_workers_do_before_a_first_epoch_is_told_until_then(tmp_path: Path) -> None:
    made = Made(tmp_path)
    stages = made.coordinator.stages
    assignment = made.turns.assign("turn")
    assert assignment is not None
    assert stages.kinds == {"starting"}
    made.turns.start("turn")
    assert stages.kinds == {"importing"}
    made.report("turn", assignment.trial)  # it is ready
    assert stages.kinds == {"tracing"}
    made.report("turn", assignment.trial, epochs=(TrainedEpoch(1, {"val_accuracy": 0.5}, 0.1),))
    assert not stages
    made.turns.end("turn")
    following = made.turns.assign("turn")
    assert following is not None and stages.kinds == {"tracing"}
    made.turns.end("turn", "gone")
    assert not stages


def test_a_process_that_is_gone_costs_its_trial_an_attempt_and_its_worker_nothing(tmp_path: Path) -> None:
    made = Made(tmp_path)
    trial = made.begin("turn")
    loss = Loss("worker", "the worker process died: it was killed by SIGSEGV")
    assert not made.turns.take_report("turn", Report(trial, 1, "here", 7, (), None, loss=loss), "actor")
    assert made.failures == [(trial, "worker")]
    made.turns.end("turn")
    again = made.turns.assign("turn")
    assert again is not None and (again.trial, again.attempt) == (trial, 2)
