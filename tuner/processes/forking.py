"""Whether processes are forked, or why not; and by which name a node's server is found."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.sources import Sources

FORK_VARIABLE = "TUNER_FORK"
"""0: every process that trains imports TensorFlow itself."""
_READ_AT_IMPORT = ("TF_", "KERAS_", "XLA_", "OMP_", "MKL_", "OPENBLAS_", "KMP_", "LD_", "PYTHON", "MALLOC_")
"""Variables that decide how TensorFlow is imported, or NumPy's libraries."""
_OF_EACH_WORKER = ("OMP_NUM_THREADS", "PYTHONBREAKPOINT", "PYTHONUNBUFFERED", "PYTHONPATH")
"""Those that Ray sets by itself."""
_SETS = re.compile(
    rb"environ(?:\[|\.setdefault\(|\.update\(|\s*\|=)[^\n#]*?(TF_|KERAS_|XLA_|OMP_|MKL_|OPENBLAS_|KMP_)\w*"
    rb"|putenv\([^\n#]*?(TF_|KERAS_|XLA_|OMP_|MKL_)\w*"
)
_LATER = (b"TF_CPP_MIN_LOG_LEVEL", b"TF_FORCE_GPU_ALLOW_GROWTH", b"TF_GPU_ALLOCATOR", b"XLA_FLAGS")
"""What TensorFlow reads only when it is used, or what changes nothing but its messages."""


def may_fork() -> bool:
    """Whether this machine and its user let processes be forked from one that has imported TensorFlow."""
    return sys.platform == "linux" and hasattr(os, "memfd_create") and os.environ.get(FORK_VARIABLE, "1") != "0"


def why_plain(sources: Sources | None = None, gpus: float = 0) -> str:
    """Why a process that trains must import TensorFlow itself; empty if it need not.

    Args:
        sources: the trainable's code.
        gpus: of each trial.
    """
    if not may_fork():
        return f"{FORK_VARIABLE}=0" if os.environ.get(FORK_VARIABLE) == "0" else "only Linux can fork it"
    if gpus > 1:
        return "a trial has several GPUs"
    for name, content in sources.files.items() if sources is not None else ():
        if name.endswith(".py") and (variable := _variable_set(content)):
            return f"{name} sets {variable}"
    return ""


def server_name(token: str = "") -> str:
    """The name of a server's socket: of this user's Python, packages and settings alone.

    Args:
        token: of a server that belongs to one driver; empty for the one of a node.
    """
    settings = [] if token else _settings(os.environ)  # a driver's are its workers' as well
    told = "\0".join([sys.executable, sys.version, *settings, *_versions()])
    return f"\0tuner-{os.getuid()}-{hashlib.sha256(told.encode()).hexdigest()[:16]}-{token}"


def _variable_set(content: bytes) -> str:
    for found in _SETS.finditer(content):
        names = re.findall(rb"\b(?:TF|KERAS|XLA|OMP|MKL|OPENBLAS|KMP)_\w+", found[0])
        for name in names:
            if name not in _LATER:
                return str(name.decode())
    return ""


def _settings(environment: Mapping[str, str]) -> list[str]:
    return [
        f"{name}={text}"
        for name, text in sorted(environment.items())
        if name.startswith(_READ_AT_IMPORT) and name not in _OF_EACH_WORKER and name.encode() not in _LATER
    ]


def _versions() -> list[str]:
    """Where these packages lie, and when a file of them last changed."""
    root = Path(__file__).parents[2]
    times = [
        entry.stat().st_mtime_ns
        for package in ("tuner", "trainables")
        for folder, _, _ in os.walk(root / package)
        for entry in os.scandir(folder)
        if entry.name.endswith(".py")
    ]
    return [str(root), str(max(times, default=0))]
