"""How many calls of MLflow's client a trial costs, each a request where MLflow is a server."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tuner.recording import record
from tuner.sweep import events as ev

if TYPE_CHECKING:
    from conftest import Story

pytestmark = [pytest.mark.slow(4), pytest.mark.filterwarnings("ignore")]


def test_a_trial_costs_three_calls_and_its_epochs_none(recorded: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    made: Counter[str] = Counter()

    def counted(name: str) -> Any:
        original = getattr(MlflowClient, name)

        def call(self: Any, *args: Any, **options: Any) -> Any:
            made[name] += 1
            return original(self, *args, **options)

        return call

    for name in (name for name in vars(MlflowClient) if not name.startswith("_")):
        monkeypatch.setattr(MlflowClient, name, counted(name))
    num_trials, num_epochs = 10, 9
    for trial in range(num_trials):
        recorded.trial(trial, [epoch / 10 for epoch in range(num_epochs)])
    recorded.add(ev.SweepEnded(reason="all trials ended"))
    record(recorded.folder)
    assert made["create_run"] == 1 + num_trials
    assert made["set_terminated"] == 1 + num_trials
    assert made["log_batch"] <= 2 + num_trials  # the sweep's own run is made before its trials, and ended after them
    assert made["log_text"] <= 3  # spec.yaml at both ends, report.html
    assert sum(made.values()) <= 3 * num_trials + 16, made


def test_a_trial_costs_few_statements(recorded: Story) -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    made: Counter[str] = Counter()

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        made[statement.split(maxsplit=1)[0].upper()] += 1

    event.listen(Engine, "before_cursor_execute", count)
    try:
        for trial in range(20):
            recorded.trial(trial, [0.25, 0.5])
        record(recorded.folder)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert made["INSERT"] <= 5 * 20 + 30, made
    assert made["PRAGMA"] <= 200, "they belong to a connection, not to each transaction"
    assert sum(made.values()) <= 20 * 20 + 350, made
