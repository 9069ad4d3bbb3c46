"""The launcher's tracebacks become one line."""

from __future__ import annotations

import subprocess
import sys
import traceback

from tuner.cluster.launcher_output import Said


def chained() -> str:
    """A traceback within another, as Python prints them."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise PermissionError("no key\npair") from error
    except PermissionError as error:
        return "".join(traceback.format_exception(error))


def test_only_tracebacks_are_kept_back_and_the_last_one_s_end_is_known() -> None:
    said = Said()
    lines = ["Checking AWS environment settings", *chained().splitlines(), "  indented", "done"]
    told = [line for line in lines if said.is_for_people(line)]
    assert [line for line in told if line] == ["Checking AWS environment settings", "pair", "  indented", "done"]
    assert said.error == "PermissionError: no key"


def test_what_python_itself_prints_is_understood() -> None:
    done = subprocess.run([sys.executable, "-c", "def f(): 1 / 0\nf()"], capture_output=True, text=True)
    said = Said()
    assert [line for line in done.stderr.splitlines() if said.is_for_people(line)] == []
    assert said.error == "ZeroDivisionError: division by zero"
