"""A command's output apart from what Ray writes into the same file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tuner.cluster.job_shell import after, marked

MARK = "tuner-asks-0123456789ab"


@pytest.mark.parametrize("late_s", [0.0, 0.5])
def test_the_output_follows_rays_announcement_however_late_that_is_written(tmp_path: Path, late_s: float) -> None:
    entrypoint, log = marked(MARK, "echo first; echo; echo last"), tmp_path / "job.log"
    log.write_text("set up\n")
    with log.open("a") as file:  # as Ray does it: the line waits in the file's buffer while the job starts
        file.write(f"Running entrypoint for job {MARK}: {entrypoint}\n")
        job = subprocess.Popen(entrypoint, shell=True, stdout=file, stderr=subprocess.STDOUT)
        time.sleep(late_s)
    assert job.wait(timeout=30) == 0
    assert after(MARK, log.read_text()) == "first\n\nlast\n"


def test_nothing_is_output_before_the_mark() -> None:
    assert [after(MARK, text) for text in ("", f"job {MARK}\n", f"{MARK}\n", f"{MARK}\nout")] == ["", "", "", "out"]
