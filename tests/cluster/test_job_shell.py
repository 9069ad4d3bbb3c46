"""A command's output apart from what Ray writes into the same file."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tuner.cluster.job_shell import between, marked

MARK = "tuner-asks-0123456789ab"


@pytest.mark.parametrize("late_s", [0.0, 0.5])
@pytest.mark.parametrize(
    ("script", "output", "code"),
    [("echo first; echo; echo last", "first\n\nlast\n", 0), ("printf '\\nno end'; exit 7", "\nno end", 7)],
)
def test_the_output_follows_rays_announcement_however_late_that_is_written(
    tmp_path: Path, script: str, output: str, code: int, late_s: float
) -> None:
    entrypoint, log = marked(MARK, script), tmp_path / "job.log"
    log.write_text("set up\n")
    with log.open("a") as file:  # as Ray does it: the line waits in the file's buffer while the job starts
        file.write(f"Running entrypoint for job {MARK}: {entrypoint}\n")
        job = subprocess.Popen(entrypoint, shell=True, stdout=file, stderr=subprocess.STDOUT)
        time.sleep(late_s)
    assert job.wait(timeout=30) == code
    assert between(MARK, log.read_text()) == (output, code)


def test_nothing_is_output_before_the_mark_and_there_is_no_code_before_the_end() -> None:
    lines = (f"job {MARK}\n", f"{MARK}\n", "out\n", f"{MARK} 3", "\n")
    so_far = [between(MARK, "".join(lines[:count])) for count in range(len(lines) + 1)]
    assert so_far == [("", None)] * 3 + [("out\n", None)] * 2 + [("out\n", 3)]
