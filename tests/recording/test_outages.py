"""Tracking that fails in every way: the backlog drains after, nothing is lost and nothing is there twice."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.recording.histories import Checker, PretendDriver, environment, wait_until_recorded
from tests.servers import MlflowServer, Mode, Postgres, Proxy, locked_sqlite, wait_until
from tuner.base.errors import TrackingError
from tuner.recording import RecorderProcess, missing, read_cursor, record, service

if TYPE_CHECKING:
    pass

pytestmark = [pytest.mark.slow(8), pytest.mark.filterwarnings("ignore")]

TIMEOUT_S = 3
"""MLflow's HTTP time limit in these tests."""


@pytest.fixture(scope="module")
def server(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, folder / "mlflow.db")
    with MlflowServer(f"sqlite:///{folder}/mlflow.db", folder) as server:
        yield server


@pytest.fixture
def proxy(server: MlflowServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def short_timeouts() -> Iterator[None]:
    with environment(MLFLOW_HTTP_REQUEST_TIMEOUT=str(TIMEOUT_S)):
        yield


def told_outages(driver: PretendDriver) -> int:
    return driver.folder.recorder_log.read_text().count("MLflow accepts nothing")


def test_a_server_that_fails_in_every_way(server: MlflowServer, proxy: Proxy, checker: Checker, tmp_path: Path) -> None:
    with PretendDriver(tmp_path, "every-way", proxy.url) as driver:
        recorder = RecorderProcess(driver.folder)
        recorder.start()
        modes: list[Mode] = ["refuse", "hang", "error", "cut", "late"]
        for mode in modes:
            wait_until_recorded(driver)
            num_outages = told_outages(driver)
            proxy.mode = mode
            wait_until(lambda before=num_outages: told_outages(driver) > before)  # type: ignore[misc]
            proxy.mode = "pass"
        wait_until_recorded(driver)
        server.stop()
        server.start()
        driver.finish()
        assert recorder.finish()
    log = driver.folder.recorder_log.read_text()
    assert log.count("recording again after") >= len(modes)
    assert missing(driver.folder, driver.events).events == 0
    assert read_cursor(driver.folder).trouble == ""
    checker.check(driver, server.backend_uri)


def test_a_recorder_killed_again_and_again_in_outages(
    server: MlflowServer, proxy: Proxy, checker: Checker, tmp_path: Path
) -> None:
    chance = random.Random(5)
    modes: list[Mode] = ["cut", "late", "pass"]
    with PretendDriver(tmp_path, "killed", proxy.url) as driver:
        recorder = RecorderProcess(driver.folder)
        for mode in modes:
            proxy.mode, proxy.num_requests = mode, 0
            recorder.start()
            wait_until(lambda: proxy.num_requests > 0)
            time.sleep(chance.uniform(0.5, 3))
            recorder.kill()
        proxy.mode = "pass"
        driver.finish()
        assert recorder.finish()
    checker.check(driver, server.backend_uri)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("refuse", "it refuses connections"),
        ("hang", "no answer"),
        ("error", "it answers HTTP 500"),
        ("deny", "HTTP 401: the credentials are wrong or missing"),
        ("missing", "HTTP 404: there is no MLflow at this address"),
        ("alien", "what answers there is not MLflow"),
    ],
)
def test_away_at_the_end_it_says_what_is_missing_and_a_later_one_finishes(
    server: MlflowServer, proxy: Proxy, checker: Checker, tmp_path: Path, mode: Mode, reason: str
) -> None:
    driver = PretendDriver(tmp_path, f"away-{mode}", proxy.url)
    driver.write(num_trials=4)
    record(driver.folder)
    num_before = len(driver.events)
    driver.finish()
    driver_events, shutdown = driver.events, service.Shutdown(patience_s=1.0)
    proxy.mode = mode
    shutdown.ask()
    with pytest.raises(TrackingError, match="is not recorded in MLflow") as caught:
        service.serve(driver.folder, shutdown)
    assert reason in str(caught.value) and proxy.url in str(caught.value)
    rest = missing(driver.folder, driver_events)
    assert (rest.events, rest.trials) == (len(driver_events) - num_before, 0) == (1, 0)
    assert reason in rest.reason
    proxy.mode = "pass"
    record(driver.folder)
    checker.check(driver, server.backend_uri)


def test_in_an_outage_it_asks_seldom(proxy: Proxy, tmp_path: Path) -> None:
    proxy.mode = "error"
    driver = PretendDriver(tmp_path, "seldom", proxy.url)
    driver.finish()
    shutdown = service.Shutdown(patience_s=6.0)
    shutdown.ask()
    with pytest.raises(TrackingError):
        service.serve(driver.folder, shutdown)
    assert 3 <= proxy.num_requests <= 5  # after 0, 1, 3 s and in the end


def test_a_request_that_hangs_without_a_time_limit_is_met_with_a_new_process(
    server: MlflowServer, proxy: Proxy, checker: Checker, tmp_path: Path
) -> None:
    code = "import sys; from tuner.recording import attempt; attempt.HANGS_S = 2;"
    code += "from tuner.recording.__main__ import main; sys.exit(main())"
    proxy.mode = "hang"
    with PretendDriver(tmp_path, "hangs", proxy.url) as driver, environment(MLFLOW_HTTP_REQUEST_TIMEOUT="600"):
        command = [sys.executable, "-P", "-c", code, driver.folder.url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as recorder:
            assert recorder.stdin is not None and recorder.stderr is not None
            assert "no answer for 2 s: starting anew" in recorder.stderr.readline()
            proxy.mode = "pass"
            wait_until_recorded(driver)
            driver.finish()
            recorder.stdin.close()
            assert recorder.wait() == 0
    checker.check(driver, server.backend_uri)


def test_a_locked_database(checker: Checker, empty_database: Path, tmp_path: Path) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with PretendDriver(tmp_path, "locked", None) as driver:
        recorder = RecorderProcess(driver.folder)
        recorder.start()
        wait_until_recorded(driver)
        with locked_sqlite(tmp_path / "mlflow.db"):
            wait_until(lambda: "locked by another process" in driver.folder.recorder_log.read_text())
        wait_until_recorded(driver)
        driver.finish()
        assert recorder.finish()
    checker.check(driver, f"sqlite:///{tmp_path}/mlflow.db")


def test_postgresql_restarted_under_the_recorder_and_under_the_server(checker: Checker, tmp_path: Path) -> None:
    Postgres.require()
    with Postgres() as postgres, MlflowServer(postgres.uri, tmp_path) as server, contextlib.ExitStack() as stack:
        uris = {"direct": postgres.uri, "behind": server.url}
        drivers = [stack.enter_context(PretendDriver(tmp_path, name, uri)) for name, uri in uris.items()]
        recorders = [RecorderProcess(driver.folder) for driver in drivers]
        for recorder in recorders:
            recorder.start()
        for driver in drivers:
            wait_until_recorded(driver)
        postgres.stop()
        for driver in drivers:
            log = driver.folder.recorder_log
            wait_until(lambda log=log: "MLflow accepts nothing" in log.read_text())  # type: ignore[misc]
        postgres.start()
        for driver, recorder in zip(drivers, recorders, strict=True):
            wait_until_recorded(driver)
            driver.finish()
            assert recorder.finish()
            checker.check(driver, postgres.uri)
