"""A user's code that hangs: it is ended in time, and the line at which it hangs is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import make_spec
from tuner.inspection import Inspection
from tuner.inspection.hanging import where

FILE = """
import time
from trainables.contract import Data, Trainable

def wait():
    time.sleep(3600)

class Mine(Trainable):
    loss = "mse"

    def load_data(self):
        wait()

    def build_model(self, params):
        return None
"""


@pytest.mark.parametrize("does", ["time.sleep(3600)", "while True: pass", "sum(iter(int, 1))"])
def test_the_innermost_line_of_the_users_own_is_told(tmp_path: Path, does: str) -> None:
    (tmp_path / "mine.py").write_text(f"import time\n\ndef load():\n    {does}\n")
    code = (
        "from tuner.inspection.hanging import answer_where; answer_where(); print(flush=True)\nimport mine; mine.load()"
    )
    with open(tmp_path / "errors", "w+b") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.append({str(tmp_path)!r}); {code}"],
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        assert process.stdout is not None and process.stdout.readline()
        found = ""
        while not found:  # it may not have come to the line yet
            found = where(process.pid, errors, f"{tmp_path}/mine.py:Mine")
        process.kill()
        process.communicate()
        assert found in (" in load (line 4 of mine.py)", " in <module> (line 1 of mine.py)")
        assert where(process.pid, errors, f"{tmp_path}/mine.py:Mine") == ""


def test_a_look_that_hangs_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    inspection = Inspection(make_spec(trainable=f"{tmp_path}/mine.py:Mine"))
    [problem] = inspection.result(within_s=3).problems
    assert problem == "trainable: must load within 3 s, but it has not ended in wait (line 6 of mine.py)"
