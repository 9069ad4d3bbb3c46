"""What people read: the panel of a running sweep, its line in a file, durations and metrics."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tuner.base.text import duration_text, metric_text
from tuner.cli import verify_command
from tuner.cli.display import Snapshot, line, panel
from tuner.review.verification import Finding, Verification

SNAPSHOT = Snapshot(
    name="demo",
    outcomes={"completed": 1, "stopped": 20, "unfinished": 2},
    num_trials=32,
    epochs=80,
    epochs_per_s=3.456,
    busy=2,
    slots=2,
    best="val_accuracy 0.9700, trial 3, epoch 9: learning_rate=0.01",
    elapsed_s=61.0,
    left_s=90.0,
    backlog=7,
)


def test_a_terminal_gets_a_panel_and_a_file_a_line() -> None:
    from rich.console import Console

    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(panel(SNAPSHOT))
    console.file.close()
    text = console.export_text()
    for said in (
        "demo", "21 of 32", "20 stopped", "2 running", "0.9700", "3.5 a second", "2 of 2 busy", "90 s left", "7 events",
    ):  # fmt: skip
        assert said in text
    assert line(SNAPSHOT).startswith(
        "61 s: 21 of 32 trials (1 completed, 20 stopped, 2 running), 80 epochs, 2 of 2 slots"
    )


def test_trials_without_a_slot_wait() -> None:
    waiting = replace(SNAPSHOT, outcomes={"unfinished": 3}, busy=2)
    assert waiting.counts == "2 running, 1 waiting"
    assert replace(waiting, busy=0, slots=0).counts == "3 waiting"


@pytest.mark.parametrize(("seconds", "text"), [(42, "42 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.97, "0.9700"), (-12.5, "-12.5000"), (0.0, "0.0000"), (2.13e-5, "2.13e-05"), (0.00321, "0.00321"),
     (-1e300, "-1e+300"), (1234567.0, "1.235e+06")],
)  # fmt: skip
def test_a_value_is_no_row_of_zeros(value: float, text: str) -> None:
    assert metric_text(value) == text


def test_findings_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    verify_command._print(Verification({}, [Finding("decisions", "trial 0 ended as failed (\x1b[2J)")]))
    assert "ended as failed (\\x1b[2J)" in capsys.readouterr().out
