"""Sweeps and events for the journal's tests, without an engine."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import Journal, create_sweep
from tuner.sweep import events as ev

SUGGESTED = ev.TrialSuggested(trial=0, params={"learning_rate": 0.001, "schedule": None}, origin="random")
STARTED = ev.SweepStarted(spec={"name": "test"}, versions={}, seed=3, sweep_id="0" * 32)
ROOT = Path(__file__).parents[2]


def suggested(trial: int) -> ev.TrialSuggested:
    return ev.TrialSuggested(trial=trial, params={"learning_rate": 0.001}, origin="random")


def folder_in(root: str | Path, name: str = "test") -> SweepFolder:
    return StorageRoot.resolve(str(root)).sweep(name)


def new_sweep(root: str | Path, name: str = "test") -> Journal:
    """The journal of a sweep that has just begun, in a folder or at a URL."""
    return create_sweep(folder_in(root, name), "name: test\n", STARTED)


def child(code: str, *args: str, **options: Any) -> subprocess.Popen[str]:
    """A Python process that runs this code with what it needs imported; `folder` is args[0]'s."""
    head = """
        import os, sys, time
        from tuner.storage.journal import *
        from tuner.storage.journal import lease
        from tuner.storage import SweepFolder
        from tests.storage.journal.making import suggested
        folder = SweepFolder.at(sys.argv[1])
    """
    program = textwrap.dedent(head) + textwrap.dedent(code)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program, *args], env=environ, **pipes, **options)
