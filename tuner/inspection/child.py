"""What the child process that looks at a trainable is asked, and how it divides its work."""

from __future__ import annotations

import os
import re
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainables.sources import Sources
from tuner.processes.server import die_with

_KERAS = re.compile(rb"^(import|from) (keras|tensorflow)\b", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """A spec as a mapping, its trainable's code, and how far to look."""

    spec: dict[str, Any]
    sources: Sources | None
    is_tried: bool = False
    """Whether a batch is trained, too."""
    is_looked_at: bool = False
    """Whether the parent has looked at the trainable already; what it found lies in the file."""
    given: bytes = field(default=b"", repr=False)
    """A class that a program gave, pickled by value."""
    import_folder: str | None = None
    is_watched: bool = False
    """Whether it is told which files the user's code opens."""
    paths: tuple[str, ...] = ()
    """Where the parent's process imports from."""


def imports_keras(trainable: str, sources: Sources | None) -> bool:
    """Whether a user's file, or one beside it, imports Keras or TensorFlow as soon as it is imported itself.

    Such a process is set up for training before, as workers are. Others first look at the file, which is quick.
    """
    if sources is not None:
        return any(_KERAS.search(content) for name, content in sources.files.items() if name.endswith(".py"))
    try:
        return _KERAS.search(Path(trainable.rpartition(":")[0]).read_bytes()) is not None
    except OSError:
        return False


def in_fork(work: Callable[[], None]) -> int:
    """Does some work in a fork of this process, which has imported TensorFlow at most, and not used it; its id."""
    sys.stderr.flush()
    parent = os.getpid()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: TensorFlow's idle ones
        child = os.fork()
    if child:
        return child
    try:
        die_with(parent)
        work()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def end_as(child: int, is_whole: Callable[[], bool]) -> None:
    """Waits for a fork, and ends this process as it did if it did not do its work."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if is_whole():
        return
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)
