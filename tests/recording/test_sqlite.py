"""The default tracking store, as it is made."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow(4), pytest.mark.filterwarnings("ignore")]


def test_a_database_is_made_without_waiting_for_the_disk_and_used_with_it(tmp_path: Path) -> None:
    import sqlalchemy

    from tuner.recording import sqlite

    seen: list[int] = []

    def note(connection: sqlite3.Connection, record: object) -> None:
        seen.append(connection.execute("PRAGMA synchronous").fetchone()[0])

    sqlalchemy.event.listen(sqlalchemy.engine.Engine, "close", note)
    try:
        assert sqlite.create_database(f"sqlite:///{tmp_path}/mlflow.db")
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "close", note)
    assert seen and set(seen) == {0}
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == ["mlflow.db"]
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/mlflow.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engine.dispose()
