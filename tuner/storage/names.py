"""The names of sweeps and checkpoints: how they are formed, and how they are distinguished from foreign files."""

from __future__ import annotations

import os
import re
import threading

CHECKPOINTS = "checkpoints"
OWN_FILES = (
    "journal.jsonl", "spec.yaml", "spec.edited.yaml", "lease.json", "lease.lock", "recorder.json", "recorder.lock",
    "recorder.log", "driver.log", "report.html", "code", "outputs",
    "callbacks", "printed",
)  # fmt: skip
"""What a sweep's folder holds besides its checkpoints, on a file system."""

_SIX = "(?:[0-9]{6}|[1-9][0-9]{6,})"
_THREE = "(?:[0-9]{3}|[1-9][0-9]{3,})"
_TRIAL = re.compile(_SIX)
_CHECKPOINT = re.compile(rf"(?:full|best|epoch)-{_SIX}-attempt-{_THREE}(?:-[0-9]+)?\.(?:npz|tar)")
"""Versions before the first release wrote `epoch-…`, and names without a process."""
_UNFINISHED = re.compile(r"\.(.+)\.[0-9]+-[0-9]+\.tmp")
_GLOB = "*?[]#\\"
"""Special characters for the clients of object stores."""


def is_sweep_name(name: str, *, is_remote: bool = False) -> bool:
    """Whether a sweep's folder can have this name: a single name that leads nowhere else."""
    return name not in ("", ".", "..") and not set(name) & {"/", "\0", *(_GLOB if is_remote else "")}


def trial_name(trial: int) -> str:
    """The folder of a trial's checkpoints."""
    return f"{trial:06d}"


def is_trial_name(name: str) -> bool:
    return _TRIAL.fullmatch(name) is not None


def checkpoint_name(attempt: int, epoch: int, kind: str, suffix: str = ".npz") -> str:
    """The file name of a checkpoint that this process writes; `.tar` is the suffix of a script's.

    A worker of a dead driver may still write for a moment, so processes never share a file.
    """
    return f"{kind}-{epoch:06d}-attempt-{attempt:03d}-{os.getpid()}{suffix}"


def is_checkpoint_name(name: str) -> bool:
    return _CHECKPOINT.fullmatch(name) is not None


def unfinished_name(name: str) -> str:
    """The name of a file while this thread writes it."""
    return f".{name}.{os.getpid()}-{threading.get_ident()}.tmp"


def is_unfinished_checkpoint(name: str) -> bool:
    """Whether it is a partly written checkpoint, left by a killed process."""
    found = _UNFINISHED.fullmatch(name)
    return found is not None and is_checkpoint_name(found[1])


def is_checkpoint_path(path: str) -> bool:
    """Whether this is the path of a checkpoint relative to its sweep's folder, as an event may name it."""
    folder, *rest = path.split("/")
    return folder == CHECKPOINTS and len(rest) == 2 and is_trial_name(rest[0]) and is_checkpoint_name(rest[1])
