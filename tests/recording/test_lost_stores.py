"""A store whose files are deleted, replaced or emptied: it is recreated from the journal, once, and that is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy

from tests.recording.histories import Checker, PretendDriver, wait_until_recorded
from tests.servers import Postgres, wait_until
from tuner.recording import Cursor, RecorderProcess, read_cursor, record
from tuner.recording.standing import recorder_standing

if TYPE_CHECKING:
    from conftest import Database, Story

pytestmark = [pytest.mark.slow(8), pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def database_file(empty_database: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))


def news(driver: PretendDriver) -> str:
    return read_cursor(driver.folder).news


def test_deleted_replaced_and_emptied_under_the_recorders_of_two_sweeps(
    database_file: Path, empty_database: Path, checker: Checker, tmp_path: Path
) -> None:
    artifacts = tmp_path / "mlartifacts"

    def delete() -> None:
        database_file.unlink()

    def replace() -> None:
        shutil.copy(empty_database, tmp_path / "other.db")
        with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other, other:
            other.execute("insert into experiments (name, lifecycle_stage) values ('of others', 'active')")
        os.replace(tmp_path / "other.db", database_file)

    def empty() -> None:
        os.truncate(database_file, 0)

    def delete_artifacts() -> None:  # at once, while a recorder may still upload
        shutil.rmtree(artifacts.rename(tmp_path / "deleted"))

    deeds: list[tuple[Callable[[], None], str]] = [
        (delete, "deleted"),
        (replace, "replaced by another file"),
        (empty, "emptied"),
        (delete_artifacts, "deleted"),
    ]
    with PretendDriver(tmp_path, "one", None) as one, PretendDriver(tmp_path, "two", None) as two:
        told: list[str] = []
        drivers = [one, two]
        recorders = [RecorderProcess(driver.folder, told.append) for driver in drivers]
        for recorder in recorders:
            recorder.start()
        for deed, what in deeds:
            for driver in drivers:
                wait_until_recorded(driver)
            told.clear()
            deed()
            wait_until(lambda: len(told) >= 2)
            where, kind = (database_file, "file") if deed in (delete, replace, empty) else (artifacts, "folder")
            first, second = (_what(line, where) for line in told)
            assert first == what
            assert second in (what, f"replaced by another {kind}")  # the first one's, if it looks after that was made
        for driver, recorder in zip(drivers, recorders, strict=True):
            wait_until_recorded(driver)
            driver.finish()
            assert recorder.finish()
            assert news(driver) in told
            log = driver.folder.recorder_log.read_text()
            assert "readonly" not in log and "no such table" not in log and log.count("recreated") == len(deeds)
            parent = read_cursor(driver.folder).run_id
            uploaded = sorted(path.name for path in (artifacts / parent / "artifacts").iterdir())
            assert uploaded == ["report.html", "spec.yaml"]
    for driver in drivers:
        checker.check(driver, f"sqlite:///{database_file}")


def _what(line: str, where: Path) -> str:
    """What a recorder's news say happened to a file or folder."""
    start, end = f"{where} was ", " while the sweep was recorded: recreated from the journal"
    assert line.startswith(start) and line.endswith(end), line
    return line.removeprefix(start).removesuffix(end)


def test_deleted_amidst_a_slice_it_is_told_as_that(
    recorded: Story, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """The file goes between the look at it and the write: SQLite's own words are of a readonly database."""
    from mlflow import MlflowClient

    recorded.trial(0, [0.5])
    original, told = MlflowClient.log_batch, []

    def log_batch(*args: object, **kwargs: object) -> None:
        if not told:
            (recorded.folder.root.path / "mlflow.db").unlink()
            told.append("deleted")
        original(*args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", log_batch)
        record(recorded.folder, tell_news=told.append)
    path = recorded.folder.root.path / "mlflow.db"
    assert told == ["deleted", f"{path} was deleted while the sweep was recorded: recreated from the journal"]
    assert caplog.messages[0] == told[1] and "readonly" not in caplog.text
    assert set(database.runs()) == {"s", "trial 0"}


@pytest.mark.parametrize("remnant", ["-journal", "-wal"])
def test_what_sqlite_left_of_the_deleted_one_is_not_played_into_the_next(
    database_file: Path, checker: Checker, tmp_path: Path, remnant: str
) -> None:
    """A journal that was hot: a process was killed amidst a write of many pages, before the file was deleted."""
    driver = PretendDriver(tmp_path, "one", None)
    driver.write(num_trials=2)
    record(driver.folder)
    beside = database_file.with_name(f"mlflow.db{remnant}")
    _be_killed_amidst_a_write(database_file, "wal" if remnant == "-wal" else "delete", beside)
    database_file.unlink()
    driver.finish()
    found: list[str] = []
    record(driver.folder, tell_news=found.append)
    what = "was deleted or emptied since the sweep was recorded there: recreated from the journal"
    assert found == [f"sqlite:///{database_file} {what}"]
    with contextlib.closing(sqlite3.connect(database_file)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    checker.check(driver, f"sqlite:///{database_file}")


def _be_killed_amidst_a_write(path: Path, mode: str, beside: Path) -> None:
    pid = os.fork()
    if pid == 0:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(f"pragma journal_mode = {mode}")
        connection.execute("pragma cache_size = 2")  # so that pages are written before the end
        connection.execute("begin immediate")
        connection.execute("create table big (x)")
        for table in ("runs", "tags", "experiments", "alembic_version"):
            connection.execute(f"create table was_{table} as select * from {table}")
            connection.execute(f"delete from {table}")
        for _ in range(300):
            connection.execute("insert into big values (randomblob(4000))")
        if mode == "wal":
            connection.execute("commit")
        os._exit(0)
    os.waitpid(pid, 0)
    assert beside.stat().st_size > 0


def test_between_two_drivers_what_is_gone_is_told_by_show_and_recorded_by_the_next(
    database_file: Path, checker: Checker, tmp_path: Path
) -> None:
    driver = PretendDriver(tmp_path, "one", None)
    driver.write(num_trials=2)
    record(driver.folder)
    cursor, uri = read_cursor(driver.folder), f"sqlite:///{database_file}"
    assert recorder_standing(driver.folder, cursor, uri, 0, is_running=False)["trouble"] is None
    database_file.unlink()
    trouble = recorder_standing(driver.folder, cursor, uri, 0, is_running=False)["trouble"]
    assert trouble == (
        f"{database_file}: there is no such file; no recorder is at work; record the rest with:"
        f" tuner record one --storage {tmp_path}"
    )
    told: list[str] = []
    recorder = RecorderProcess(driver.folder, told.append)
    recorder.start()
    wait_until_recorded(driver)
    driver.finish()
    assert recorder.finish()
    [line] = told
    assert "was deleted or emptied since the sweep was recorded there: recreated" in line
    checker.check(driver, uri)


def test_a_database_of_a_server_that_is_emptied_or_dropped(checker: Checker, tmp_path: Path) -> None:
    Postgres.require()

    def run(*statements: str) -> None:
        engine = sqlalchemy.create_engine(postgres.uri, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    with Postgres() as postgres:
        name = postgres.new_database()
        uri = postgres.uri.replace("/postgres", f"/{name}")
        with PretendDriver(tmp_path, "one", uri) as driver, _recording(driver) as (recorder, told):
            wait_until_recorded(driver)
            run(f"drop database {name} with (force)")
            wait_until(lambda: "there is no such database" in read_cursor(driver.folder).trouble)
            run(f"create database {name}")
            wait_until(lambda: len(told) == 1)
            wait_until_recorded(driver)
            emptier = sqlalchemy.create_engine(uri, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)
            with emptier.connect() as connection:
                connection.exec_driver_sql("drop schema public cascade")
                connection.exec_driver_sql("create schema public")
            wait_until(lambda: len(told) == 2)
            wait_until_recorded(driver)
            driver.finish()
            assert recorder.finish()
        assert told == [f"{uri.replace('tuner@', '')} was emptied: recreated from the journal"] * 2
        checker.check(driver, uri)


@contextlib.contextmanager
def _recording(driver: PretendDriver) -> Iterator[tuple[RecorderProcess, list[str]]]:
    told: list[str] = []
    recorder = RecorderProcess(driver.folder, told.append)
    recorder.start()
    yield recorder, told
    recorder.kill()


def test_a_cursor_keeps_its_news_while_it_forgets_the_rest() -> None:
    cursor = Cursor(uri="u", run_id="r", seq=9, restarts=2, news="what happened", news_at=7.0, trouble="t")
    assert cursor.anew() == Cursor(restarts=2, news="what happened", news_at=7.0, trouble="t")
