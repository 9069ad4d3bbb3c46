"""Where a process hangs in a user's code: it writes its stack to standard error when it is asked to."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import time
from pathlib import Path
from typing import IO

from tuner.inspection.trying import own_files

_ASKS = signal.SIGUSR1
_ANSWERS_WITHIN_S = 2.0
_LOOKS_EVERY_S = 0.05
_STACK_BYTES = 1 << 16
_FRAME = re.compile(r'^  File "([^"\n]+)", line (\d+) in (.+)$', re.MULTILINE)


def answer_where() -> None:
    """Lets `where` ask this process from now on; its stack goes to file 2, also while C code runs."""
    faulthandler.register(_ASKS, file=2, all_threads=False)


def where(pid: int, errors: IO[bytes], trainable: str) -> str:
    """The innermost line of the user's own files that a process is at, as in " in load_data (line 3 of my_model.py)".

    Args:
        errors: what the process writes to its standard error.

    Returns:
        An empty text if the process does not answer, or is at no line of the user's.
    """
    begin = os.fstat(errors.fileno()).st_size
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, _ASKS)
    is_own, until = own_files(trainable), time.monotonic() + _ANSWERS_WITHIN_S
    while time.monotonic() < until:
        text = os.pread(errors.fileno(), _STACK_BYTES, begin)  # a seek would move where the process writes, too
        for file, line, function in _FRAME.findall(text.decode(errors="replace")):
            if is_own(file):
                return f" in {function} (line {line} of {Path(file).name})"
        time.sleep(_LOOKS_EVERY_S)
    return ""
