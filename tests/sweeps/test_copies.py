"""Copies of real sweeps, made by hand and by `tuner copy`, and a storage root that is moved and copied."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.conftest import ONE_SLOT, Cli, finish, slowed
from tests.sweeps.test_faults import verified
from tuner.sweep import fold

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

_OF_SWEEP = "(select run_uuid from tags where key = 'tuner.sweep_id' and value = ?)"


def recorded(cli: Cli, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """All that the root's own store holds of a sweep."""
    sweep_id = fold(cli.events(name)).sweep_id
    with closing(sqlite3.connect(Path(cli.root) / "mlflow.db")) as database:
        return {
            table: sorted(
                database.execute(f"select * from {table} where run_uuid in {_OF_SWEEP}", [sweep_id]), key=repr
            )
            for table in ("runs", "metrics", "params", "tags")
        }


def test_a_copy_and_its_original_go_on_by_themselves_and_their_root_anywhere(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path
) -> None:
    space, slow_while = slowed(tmp_path)
    driver = cli.start("run", tiny_spec(space=space, num_trials=3, epochs={"min": 9, "max": 18}, resources=ONE_SLOT))
    cli.wait_for("tiny", lambda sweep: any(trial.checkpoints for trial in sweep.unfinished))
    root = Path(cli.root)
    shutil.copytree(root / "tiny", root / "by-hand")
    assert cli.json("show", "by-hand")["state"] == "interrupted"
    assert "no driver is at work on it" in cli("stop", "by-hand", exit_code=2).stderr
    live = cli.json("copy", "tiny", "live")
    assert driver.poll() is None and live["state"] == "interrupted" and live["checkpoints"] >= 1
    os.kill(driver.pid, signal.SIGTERM)
    assert "nothing is lost" in finish(driver, exit_code=3)

    shutil.rmtree(root / "by-hand")
    shutil.copytree(root / "tiny", root / "by-hand")
    before = recorded(cli, "tiny")
    assert before["runs"] and before["metrics"]
    for command in ("resume", "record"):
        said = cli(command, "by-hand", exit_code=2).stderr
        assert "its journal is that of sweep tiny" in said and "tuner copy by-hand NEW_NAME" in said
    recorder = [sys.executable, "-P", "-m", "tuner.recording", str(root / "by-hand")]
    assert subprocess.run(recorder, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 2
    assert not list((root / "by-hand").glob("lease.json")) and recorded(cli, "tiny") == before

    cli("copy", "by-hand", "own")
    slow_while.unlink()
    for name in ("own", "live"):
        cli("resume", name)
        trials = verified(cli, name).trials
        assert trials[0].attempts == 2 and len(trials) == 3
        assert recorded(cli, "tiny") == before, "a copy recorded in its original's runs"
    names = ("tiny", "own", "live")
    assert len({run_id for name in names for run_id, *_ in recorded(cli, name)["runs"]}) == len(before["runs"]) + 2 * 4
    assert {cli.json("show", name)["mlflow"]["experiment_id"] for name in names} == {"1", "2", "3"}

    cli.root = tmp_path / "moved"
    root.rename(cli.root)
    assert cli.json("show", "tiny")["mlflow"]["uri"] == f"sqlite:///{cli.root}/mlflow.db"
    cli("verify", "own")
    before = recorded(cli, "tiny")
    cli("resume", "tiny", "--num-trials", "4")
    verified(cli)
    after = recorded(cli, "tiny")
    assert len(after["runs"]) == 5 and {run[0] for run in before["runs"]} < {run[0] for run in after["runs"]}
    assert not root.exists(), "something was written where the storage root had been"
    shown = cli.json("show", "tiny")["mlflow"]
    page = cli.root / "mlartifacts" / shown["run_id"] / "artifacts" / "report.html"
    assert "finished" in page.read_text()
