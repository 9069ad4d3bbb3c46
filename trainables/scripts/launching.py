"""Starts the process of a trial: the command, or the loop, with what it is told in its environment."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.scripts.commands import filled, program, search_path
from trainables.scripts.forker import Forker
from trainables.scripts.job import Job
from trainables.scripts.process import ScriptProcess
from trainables.sources import Sources

_OF_A_RUN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_USERNAME")
"""Variables that would lead what a script logs elsewhere than to its trial's run."""
_FOLDER = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Script:
    """What a sweep runs for each trial: a command, or a loop.

    Attributes:
        command: a program and its arguments; none for a loop.
        trainable: a loop, `/path/to/file.py:main`; what it is imported from follows.
        threads: how many a trial has.
        work_folder: where it runs; empty for this process's working directory.
    """

    trainable: str
    command: tuple[str, ...] = ()
    sources: Sources | None = None
    paths: tuple[str, ...] = ()
    threads: int = 1
    work_folder: str = ""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a trial."""

    trial: int
    params: Mapping[str, Any]
    seed: int
    objective: str
    epoch: int
    """The epoch of the checkpoint that it continues from; 0 for none."""
    checkpoint: Path | None
    """The checkpoint's folder or file."""

    @property
    def epochs(self) -> int:
        """Of a whole training; 0 if the parameters do not say."""
        return int(self.params.get("epochs") or 0)


def launched(
    script: Script, attempt: Attempt, folder: Path, logging: Mapping[str, str], forker: Forker | None
) -> ScriptProcess:
    """The process of an attempt.

    Args:
        folder: for files of its own; it is removed when the process ends.
        logging: variables that lead what it logs to MLflow into its trial's run.
        forker: forks it; None for a process that imports everything itself.

    Raises:
        ScriptError: it cannot be started.
    """
    where = script.work_folder if os.path.isdir(script.work_folder) else os.getcwd()
    environment = _environment(script, attempt, logging)
    if script.command:
        own = {"epochs": attempt.epochs, "trial": attempt.trial, "seed": attempt.seed}
        command = filled(script.command, {**own, **attempt.params})
        command[0] = program(command, where) or command[0]
        return ScriptProcess(command, where, environment, folder, None)
    file = folder / "job"
    file.write_bytes(pickle.dumps(_job(script, attempt)))
    command = [sys.executable, "-P", "-m", "trainables.scripts.child", str(file)]
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([_FOLDER, *([known] if known else [])])
    return ScriptProcess(command, where, environment, folder, forker)


def _job(script: Script, attempt: Attempt) -> Job:
    return Job(
        trainable=script.trainable,
        sources=script.sources,
        paths=script.paths,
        params=dict(attempt.params),
        objective=attempt.objective,
        epochs=attempt.epochs,
        trial=attempt.trial,
        seed=attempt.seed,
        checkpoint=None if attempt.checkpoint is None else str(attempt.checkpoint),
        epoch=attempt.epoch,
    )


def _environment(script: Script, attempt: Attempt, logging: Mapping[str, str]) -> dict[str, str]:
    found = {
        **os.environ,
        **_thread_limits(script.threads),
        **logging,
        "PATH": search_path(),
        "PYTHONUNBUFFERED": "1",
        "TUNER_REPORT_FD": "3",
        "TUNER_ANSWER_FD": "4",
        "TUNER_TRIAL": str(attempt.trial),
        "TUNER_SEED": str(attempt.seed),
        "TUNER_EPOCHS": str(attempt.epochs),
        "TUNER_PARAMS": json.dumps(dict(attempt.params)),
        "TUNER_CHECKPOINT": "" if attempt.checkpoint is None else str(attempt.checkpoint),
        "TUNER_CHECKPOINT_EPOCH": str(attempt.epoch),
    }
    return {name: text for name, text in found.items() if name not in _OF_A_RUN}


def _thread_limits(threads: int) -> dict[str, str]:
    """What libraries take for as many threads as a trial has; what the user has set stays."""
    names: Sequence[str] = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    found = {name: os.environ.get(name, str(threads)) for name in names}
    return {**found, "TF_FORCE_GPU_ALLOW_GROWTH": os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH", "true")}
