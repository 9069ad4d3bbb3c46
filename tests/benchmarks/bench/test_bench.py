"""The table's arithmetic, what is read out of journals, and what is measured of processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.bench import lines, table
from tests.benchmarks.bench.measuring import Figures, Goal, Row, in_turn, ratios, row, value_text, values
from tests.benchmarks.bench.processes import Command, CommandFailed, descendants, run
from tests.benchmarks.bench.sweeps import gaps_s, median_epoch_s


def test_sides_alternate_so_that_none_is_always_first() -> None:
    order: list[str] = []

    def side(name: str) -> Figures:
        order.append(name)
        return {"s": float(len(order))}

    measured = in_turn({"a": lambda: side("a"), "b": lambda: side("b")}, 3, lambda line: None)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert [list(figures) for figures in measured] == [["a", "b"]] * 3
    assert values(measured, "b", "s") == [2, 3, 6]


def test_a_ratio_is_taken_round_by_round() -> None:
    rounds = [
        {"a": {"s": 2.0}, "b": {"s": 1.0}},
        {"a": {"s": 30.0}, "b": {"s": 10.0}},
        {"a": {"s": 4.0}, "b": {"s": 1.0}},
    ]
    found = row("line", "a / b", ratios(rounds, "s", "a", "b"), "times", Goal(">=", 3))
    assert (found.value, found.spread, found.verdict) == (3.0, (2.0, 4.0), "met")


@pytest.mark.parametrize(
    ("goal", "value", "verdict", "reached"),
    [
        (Goal("<=", 0.75), 0.75, "met", 1.0),
        (Goal("<=", 0.75), 1.5, "missed", 0.5),
        (Goal(">=", 20), 25, "met", 1.25),
        (Goal(">=", 20), 100, "met", 2.0),
        (Goal("<=", 20), -3, "met", 2.0),
    ],
)
def test_a_goal_is_met_on_its_side(goal: Goal, value: float, verdict: str, reached: float) -> None:
    found = Row("line", "what", value, "", goal)
    assert (found.verdict, table.reached(found)) == (verdict, reached)


def test_numbers_carry_their_units() -> None:
    assert [value_text(0.9712, "%"), value_text(21.54, "s"), value_text(3.14159, "times"), value_text(1.2, "")] == [
        "97.1%",
        "21.5 s",
        "3.14 times",
        "1.2",
    ]
    assert value_text(1374.2, "MiB") == "1,374 MiB"


def test_the_table_tells_what_was_measured_and_what_was_not(tmp_path: Path) -> None:
    rows = [
        row("first epoch", "ours / bare", [0.7, 0.6, 0.8], "", Goal("<=", 0.75)),
        row("first epoch", "bare", [20.0], "s", note="a | b"),
        Row("recording", "PostgreSQL", None, "%", Goal("<=", 0.01), "not installed"),
    ]
    written = table.markdown(rows, {"machine": "2 cores"})
    assert written.splitlines()[0] == "machine: 2 cores  "
    assert written.splitlines()[-3:] == [
        "| first epoch | ours / bare | 0.7 | 0.6 to 0.8 | at most 0.75 | met |",
        "| first epoch | bare (a \\| b) | 20 s |  |  |  |",
        "| recording | PostgreSQL |  |  | at most 1% | not measured: not installed |",
    ]
    told = json.loads(table.as_json(rows, {"first_epoch": []}, {"machine": "2 cores"}))
    assert [each["verdict"] for each in told["rows"]] == ["met", "", "not measured"]


def epoch(trial: int, epoch: int, at: float, epoch_s: float = 1.0) -> dict[str, Any]:
    return {"event": "epoch_reported", "trial": trial, "attempt": 1, "epoch": epoch, "at": at, "epoch_s": epoch_s}


def started(trial: int, pid: int) -> dict[str, Any]:
    return {"event": "trial_started", "trial": trial, "attempt": 1, "node": "a", "pid": pid}


def test_a_gap_lies_between_two_trials_of_one_process() -> None:
    events = [
        *(started(0, 7), epoch(0, 1, 11.0), epoch(0, 2, 12.0)),
        *(started(1, 8), epoch(1, 1, 11.5)),
        *(started(2, 7), epoch(2, 1, 13.25)),  # began at 12.25
        *(started(3, 8), epoch(3, 1, 13.0), epoch(3, 2, 13.9, 1.0)),  # reported late at first: began at 11.9
    ]
    assert sorted(gaps_s(events)) == pytest.approx([0.25, 0.4])


def test_epochs_in_which_a_process_traces_do_not_count() -> None:
    assert median_epoch_s([epoch(0, 1, 5.0, 4.0), epoch(0, 2, 6.0, 0.5), epoch(0, 3, 7.0, 0.7)]) == 0.6


def test_each_line_says_what_it_measures() -> None:
    assert [name for name in lines.NAMES if not lines.about(name).endswith((".", ":", "KerasTuner."))] == []


def test_processor_time_counts_children_that_have_ended() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\n"
    parent = f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {busy!r}])\ntime.sleep(0.3)"
    command = Command([sys.executable, "-c", parent])
    seen = []
    while command.is_running:
        seen.append(command.cpu_s())
    command.finish()
    assert seen[-1] >= 0.25
    assert seen == sorted(seen)
    assert not descendants(command.process.pid)


def test_a_side_that_fails_is_told_with_its_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3\n.*no such thing"):
        run([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])
