"""What MLflow's SQLite store is spared and helped with; how many statements a trial costs is in test_calls.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tuner.recording import read_cursor, record
from tuner.sweep import fold

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow(4), pytest.mark.filterwarnings("ignore")]


def test_statistics_are_due_whenever_the_runs_have_doubled() -> None:
    from tuner.recording.sqlstore import is_analysis_due

    assert [count for count in range(20_000) if is_analysis_due(count)] == [500, 1000, 2000, 4000, 8000, 16000]


def test_a_store_of_many_runs_has_statistics(
    recorded: Story, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.recording.sqlstore._RUNS_MIN", 2)
    for trial in range(4):
        recorded.trial(trial, [0.25])
    record(recorded.folder)
    analyzed = {table for (table,) in database.rows("select distinct tbl from sqlite_stat1")}
    assert {"runs", "tags", "latest_metrics"} <= analyzed
    assert len(database.runs()) == 5


def test_a_store_of_an_earlier_version_has_them_once_its_page_is_opened(recorded: Story, database: Database) -> None:
    from tuner.recording.view_tag import ensure_view

    recorded.trial(0, [0.25])
    record(recorded.folder)
    find = "select count(*) from sqlite_master where name = 'sqlite_stat1'"
    assert database.rows(find) == [(0,)]
    cursor = read_cursor(recorded.folder)
    for _ in range(2):
        assert ensure_view(cursor.uri, cursor.experiment_id, fold(recorded.events))
    assert database.rows(find) == [(1,)]
