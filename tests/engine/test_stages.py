"""What people are told while workers do not train yet."""

from __future__ import annotations

from tuner.engine.stages import Stages


def test_stages_are_told_with_the_seconds_of_the_longest() -> None:
    now = [100.0]
    stages = Stages(lambda: now[0])
    assert stages.text() == "" and len(stages) == 0
    stages.enter(0, "starting")
    now[0] += 2
    stages.enter(1, "starting")
    assert stages.text() == "2 workers start, 2 s"
    stages.enter(0, "importing")
    now[0] += 3
    stages.enter(0, "importing")  # it is there since then
    assert stages.text() == "1 worker starts, 3 s; 1 worker imports TensorFlow and loads data, 3 s"
    stages.enter(1, "loading")
    stages.enter(0, "tracing")
    now[0] += 1
    assert stages.text() == "1 worker loads data, 1 s; tracing trial 0, 1 s"
    assert stages.text(longer_than_s=2) == "" and stages.kinds == {"loading", "tracing"}
    stages.leave(0)
    stages.leave(1)
    stages.leave(1)
    assert stages.text() == ""


def test_scripts_neither_import_nor_trace() -> None:
    stages = Stages(lambda: 0.0)
    stages.are_of_scripts = True
    stages.enter(0, "importing")
    stages.enter(1, "tracing")
    assert stages.text() == "1 worker gets ready, 0 s; waiting for the first report of trial 1, 0 s"


def test_many_trials_are_counted() -> None:
    stages = Stages(lambda: 0.0)
    for trial in range(16):
        stages.enter(trial, "tracing")
    assert stages.text() == "tracing trials 0, 1, 2, 3 and 12 more, 0 s"
