"""Storage that fills up, refuses, vanishes, or is an object store; and a tracking server that is away to the end."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.objectstore import S3Server
from tests.servers import MlflowServer, Proxy
from tests.sweeps.conftest import ONE_SLOT, SLOW_SPACE, Cli, finish, slowed
from tests.sweeps.test_faults import verified
from tuner.review.verification import verify_sweep

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_and_a_sweep_removed_under_its_driver_end_the_sweep_in_order_and_it_goes_on(
    cli: Cli, tiny_spec: Callable[..., str], small_disk: Path, tmp_path: Path
) -> None:
    space, slow_while = slowed(tmp_path)
    spec = tiny_spec(num_trials=2, space=space, epochs={"min": 9, "max": 18}, resources=ONE_SLOT)
    cli.root = small_disk / "sweeps"
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: any(trial.checkpoints for trial in sweep.unfinished))
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    said = finish(driver, exit_code=4)
    assert "No space left on device" in said and "tuner resume tiny --storage" in said
    acknowledged = cli.events("tiny")
    filler.unlink()

    driver = cli.start("resume", "tiny")
    cli.wait_for("tiny", lambda sweep: sweep.num_events > len(acknowledged) + 3)
    folder = small_disk / "sweeps" / "tiny"
    moved = folder.rename(folder.with_name("moved"))
    said = finish(driver, exit_code=4)
    assert str(folder) in said and len(said.splitlines()[-1]) < 600
    assert not folder.exists()
    moved.rename(folder)
    slow_while.unlink()
    cli("resume", "tiny")
    verified(cli, acknowledged=acknowledged)


def test_a_sweep_on_an_object_store_survives_its_drivers_and_the_stores_faults(
    cli: Cli,
    tiny_spec: Callable[..., str],
    s3_root: str,
    s3_server: S3Server,
    mlflow_server: MlflowServer,
) -> None:
    mlflow_server.start()
    spec = tiny_spec(
        num_trials=3,
        space={**SLOW_SPACE, "pause_s": 0.05},
        epochs={"min": 9, "max": 18},
        resources=ONE_SLOT,
        storage=s3_root,
        tracking={"uri": mlflow_server.url},
    )
    cli.root = s3_root
    s3_server.faults.fraction = 0.1
    driver = cli.start("run", spec)
    sweep = cli.wait_for("tiny", lambda sweep: any(trial.checkpoints for trial in sweep.unfinished))
    refused = cli("resume", "tiny", exit_code=2)
    assert f"process {driver.pid} on" in refused.stderr and "another driver is running it" in refused.stderr
    driver.kill()
    driver.communicate()
    acknowledged = cli.events("tiny")
    assert len(acknowledged) >= sweep.num_events
    cli("resume", "tiny")
    assert s3_server.faults.count and sum(s3_server.faults.count.values()) > 5
    s3_server.faults.clear()
    verified(cli, acknowledged=acknowledged)
    shown = cli.json("show", "tiny")
    assert shown["state"] == "finished" and shown["mlflow"]["backlog"] == 0
    assert [row["sweep"] for row in cli.json("list")] == ["tiny"]
    keys = s3_server.keys(s3_root)
    assert {key.split("/")[1] for key in keys} >= {"journal", "checkpoints", "spec.yaml", "recorder.json"}


def test_tracking_away_to_the_end_is_exit_4_and_recorded_later(
    cli: Cli, tiny_spec: Callable[..., str], mlflow_server: MlflowServer
) -> None:
    mlflow_server.start()
    with Proxy(mlflow_server.port) as proxy:
        spec = tiny_spec(num_trials=6, space=SLOW_SPACE, resources=ONE_SLOT, tracking={"uri": proxy.url})
        driver = cli.start("run", spec)
        cli.wait_for("tiny", lambda sweep: sweep.num_epochs >= 4)
        proxy.mode = "hang"
        time.sleep(5)
        proxy.mode = "error"
        said = finish(driver, exit_code=4)
        assert "tuner record tiny --storage" in said
        shown = cli.json("show", "tiny")
        assert shown["state"] == "finished" and shown["mlflow"]["backlog"] > 0
        assert not verify_sweep(cli.folder("tiny")).ok
        proxy.mode = "deny"  # which no waiting cures
        assert "401" in cli("record", "tiny", exit_code=4).stderr
        proxy.mode = "pass"
        cli("record", "tiny")
        verified(cli)
        assert cli.json("show", "tiny")["mlflow"]["backlog"] == 0


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    """Not permitted, or read-only: the same path of the code, which root meets on /proc alone."""
    done = subprocess.run(
        [*cli.command("run", tiny_spec(), address=False)[:-1], "/proc/sweeps", "--address", cli.address],
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "TUNER_STORAGE"},
        timeout=120,
    )
    assert done.returncode == 4 and "Traceback" not in done.stderr
    assert "/proc/sweeps" in done.stderr.splitlines()[-1]
