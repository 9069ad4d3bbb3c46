"""The command line as a process runs it, in the tests' own process: starting one costs more than most commands do."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import pytest

from tuner.cli import tables
from tuner.cli.app import run_command


def run_here(*arguments: str, environment: Mapping[str, str | None]) -> subprocess.CompletedProcess[str]:
    """Runs a command; `environment` has what is set, and as None what is not."""
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["tuner", *arguments])
        for name, value in environment.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        if columns := environment.get("COLUMNS"):
            patch.setattr(tables.tables, "_width", int(columns))  # it was made when another test imported it
        with pytest.raises(SystemExit) as ended:
            run_command()
    code = ended.value.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(["tuner", *arguments], code, out.getvalue(), errors.getvalue())
